"""Jobs: what `resend`, `redrive` and `replay` have in common.

A job is a list of items, made when it begins and worked off one by one. What is done for an
item (re-open what it is about, order its message, say so on the item) is one transaction, under
the lock of the job's row: whenever its process dies, an item is done whole or not at all, and
whoever goes on with the job takes the next one. Two processes at one job take turns.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol
from uuid import UUID

from django.db import router, transaction
from django.db.models import QuerySet
from django.db.models.functions import Now

from notifications.exceptions import NotificationError
from notifications.models import Dispatch, Job, JobItem
from notifications.nudges import nudge
from notifications.outages import DATABASE_AWAY
from notifications.redaction import redact

AHEAD = 1.0
"""Seconds by which an item may be begun before it is due: what is on its way when a job is
stopped is a second's worth, however fast this process is."""

LOOK = 0.25
"""Seconds between two looks at a job that waits: for its pace, or for the end of a stage."""

Filter = Mapping[str, Any]
Outcome = JobItem.Outcome


class Refused(NotificationError):
    """A job that cannot be begun, or gone on with, as asked."""

    default_code = "job_refused"


@dataclass(frozen=True)
class Verdict:
    """What becomes of an item. DISPATCHED comes with what was ordered; else `why` says why not."""

    outcome: JobItem.Outcome
    why: str = ""
    dispatch: Dispatch | None = None
    event_id: UUID | None = None
    consumer: str = ""
    generation: int = 0


def refused(why: str) -> Verdict:
    return Verdict(Outcome.REFUSED, why)


def left_alone(why: str) -> Verdict:
    return Verdict(Outcome.LEFT_ALONE, why)


class Work(Protocol):
    """One kind of job. Everything is called in a transaction that holds the job's row."""

    kind: Job.Kind
    column: str
    """The item's column that names what it is about."""
    made_at: str
    """The column of that by which the oldest comes first."""

    def found(self, wanted: Filter) -> QuerySet[Any]:
        """What the filter means now."""

    def weigh(self, subject: Any, job: Job) -> Verdict:
        """What would become of it: DISPATCHED, or why not. Changes nothing."""

    def take(self, item: JobItem) -> Any:
        """What the item is about; None when it is there no more."""

    def order(self, subject: Any, job: Job, *, at: datetime) -> Verdict:
        """Re-open what is to be done again, and order its message, not before `at`."""

    def look(self, job: Job) -> str:
        """See what became of what is under way. Why the job must stop, if it must."""

    def may_begin(self, job: Job) -> bool:
        """Whether the next item may be begun, or something must end first."""

    def is_over(self, job: Job) -> bool:
        """Asked when no item waits: whether there is nothing to wait for either."""


def begin(
    work: Work,
    wanted: Filter,
    *,
    by: str,
    reason: str,
    rate: float,
    override: bool = False,
    stage: tuple[int, int] | None = None,
) -> Job:
    """A new job with an item for each thing the filter means now. All of it or nothing.

    rate: items a second. stage: the number of its first, and how many items that has.
    """
    number, left = stage or (None, None)
    with transaction.atomic(using=_database()):
        job = Job.objects.create(
            kind=work.kind,
            filter=dict(wanted),
            actor=by,
            reason=redact(reason),
            rate=rate,
            override=override,
            stage=number,
            stage_left=left,
        )
        found = work.found(wanted)
        job.total = JobItem.objects.fill(job, work.column, found, made_at=work.made_at)
        job.counts = {str(Outcome.WAITING): job.total} if job.total else {}
        job.save(update_fields=["total", "counts"])
        job.write(f"begun, {items(job.total)}: {reason}", by=by)
    return job


def go_on(work: Work, job_id: int, *, by: str, rate: float | None = None) -> Job:
    """Let a job run on that was stopped, or whose process died. Raises Refused.

    What has ended meanwhile is taken note of first: of a failure that is known by now, whoever
    goes on knows.
    """
    with transaction.atomic(using=_database()):
        job = Job.objects.held(job_id)
        if job is None or job.kind != work.kind:
            raise Refused(f"There is no job {job_id} of this kind.")
        if job.state not in Job.OPEN:
            raise Refused(f"Job {job_id} is {job.get_state_display()}.")
        died = job.state == Job.State.RUNNING
        job.state, job.rate = Job.State.RUNNING, rate or job.rate
        work.look(job)
        job.write(f"gone on with{', it had not been stopped' if died else ''}", by=by)
        _save(job)
    return job


def halt(job_id: int, *, by: str, why: str = "", cancel: bool = False) -> Job:
    """Stop a job, or cancel it for good. What it has put on its way stays there. Raises Refused."""
    with transaction.atomic(using=_database()):
        job = Job.objects.held(job_id)
        if job is None:
            raise Refused(f"There is no job {job_id}.")
        if job.state not in Job.OPEN:
            raise Refused(f"Job {job_id} is {job.get_state_display()} already.")
        job.state = Job.State.CANCELLED if cancel else Job.State.STOPPED
        job.finished_at = job.now if cancel else None  # type: ignore[attr-defined]
        job.write(f"{job.get_state_display()}{f': {why}' if why else ''}", by=by)
        _save(job)
    return job


def run(
    work: Work,
    job_id: int,
    *,
    said: Callable[[Job], None] = lambda job: None,
    stopping: Callable[[], bool] = lambda: False,
) -> Job:
    """Work the job off until it is over, or stopped by whomever. Gives it as it then is.

    said: called after each step. stopping: whether this process is to end.
    """
    while True:
        with transaction.atomic(using=_database()):
            job, wait = _step(work, job_id)
        said(job)
        if job.state != Job.State.RUNNING:
            return job
        if stopping():
            return halt(job_id, by=job.actor, why="interrupted")
        if wait:
            time.sleep(min(wait, LOOK))


def try_out(work: Work, wanted: Filter, *, override: bool) -> list[tuple[Any, Verdict]]:
    """What would become of each thing the filter means now. Nothing is changed."""
    job = Job(kind=work.kind, filter=dict(wanted), override=override)
    found = work.found(wanted).order_by(work.made_at, "pk")
    return [(each, weigh(work, each, job)) for each in found.iterator(chunk_size=500)]


def weigh(work: Work, subject: Any, job: Job) -> Verdict:
    """The same as `work.weigh`, however the shop's hooks fail: that is a refusal of one item.

    In a savepoint, so that a query of theirs that fails spoils no transaction of ours.
    """
    try:
        with transaction.atomic(using=_database()):
            return work.weigh(subject, job)
    except NotificationError as error:
        return refused(str(error))
    except Exception as error:  # noqa: BLE001 - one item must not keep the others
        return refused(f"the shop could not be asked: {type(error).__name__}")


def _step(work: Work, job_id: int) -> tuple[Job, float]:
    """The job after its next step, and for how long there is nothing to do."""
    job = Job.objects.held(job_id)
    if job is None:
        raise Refused(f"There is no job {job_id} any more.")
    if job.state != Job.State.RUNNING:
        return job, 0.0
    now: datetime = job.now  # type: ignore[attr-defined]
    wait = LOOK
    if why := work.look(job):
        job.state = Job.State.STOPPED
        job.write(f"stopped by itself: {why}")
    elif (item := job.items.waiting().first()) is None:
        if work.is_over(job):
            job.state, job.finished_at = Job.State.DONE, now
            job.write(f"done: {summary(job)}")
    elif work.may_begin(job):
        wait = (job.next_at - now).total_seconds() - AHEAD
        if wait <= 0:
            wait = 0.0
            _begin_item(work, job, item, now)
    _save(job)
    return job, max(wait, 0.0)


def _begin_item(work: Work, job: Job, item: JobItem, now: datetime) -> None:
    subject = work.take(item)
    verdict = left_alone("there is no such row any more")
    if subject is not None:
        verdict = weigh(work, subject, job)
        if verdict.outcome is Outcome.DISPATCHED:
            verdict = _order(work, subject, job, now)
    item.outcome, item.why = verdict.outcome, redact(verdict.why)
    item.dispatch, item.stage = verdict.dispatch, job.stage
    item.event_id = verdict.event_id or item.event_id
    item.consumer, item.generation = verdict.consumer, verdict.generation
    item.moved_at = now
    item.save()
    job.count(verdict.outcome, before=Outcome.WAITING)
    if verdict.outcome is Outcome.DISPATCHED:
        if job.stage_left is not None:
            job.stage_left -= 1
        transaction.on_commit(lambda: nudge(_database()), using=_database(), robust=True)


def _order(work: Work, subject: Any, job: Job, now: datetime) -> Verdict:
    """In a savepoint as well: what no row takes (a generation that cannot be raised, say) is a
    refusal of one item. Or whoever goes on with the job would meet it again, for ever."""
    try:
        with transaction.atomic(using=_database()):
            return work.order(subject, job, at=job.pace(now))
    except DATABASE_AWAY:
        raise
    except Exception as error:  # noqa: BLE001 - one item must not keep the others
        return refused(f"its message could not be ordered: {type(error).__name__}")


def items(count: int) -> str:
    return "1 item" if count == 1 else f"{count} items"


def summary(job: Job) -> str:
    """Its counts in words: "12 dispatched, 1 refused"."""
    words = (f"{job.counts[each]} {each.label}" for each in Outcome if job.counts.get(each))
    return ", ".join(words) or "nothing"


def _save(job: Job) -> None:
    job.moved_at = Now()
    job.save(
        update_fields=[
            *("state", "rate", "stage", "stage_left", "counts", "next_at"),
            *("moved_at", "finished_at"),
        ]
    )


def _database() -> str:
    return router.db_for_write(Job)
