"""Jobs: what resending, redriving, replaying and discarding many things have in common.

A job is a list of items, made when it begins and worked off one by one. What is done for an
item (re-open what it is about, order its message, say so on the item) is one transaction, under
the lock of the job's row: whenever its process dies, an item is done whole or not at all, and
whoever goes on with the job takes the next one. Two processes at one job take turns: a command
runs its own (`run`), the relays run what was left to them (`notifications.job_runner`).

What kinds there are, and who may begin one, is in `notifications.undertakings`.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from django.db import IntegrityError, connections, router, transaction
from django.db.models import QuerySet
from django.db.models.functions import Now
from django.utils.translation import gettext

from notifications import audit, spans
from notifications.exceptions import NotificationError
from notifications.models import Job, JobItem
from notifications.nudges import nudge
from notifications.outages import is_away
from notifications.redaction import redact
from notifications.work import Filter, Outcome, Verdict, Work, left_alone, refused

AHEAD = 1.0
"""Seconds by which an item may be begun before it is due: what is on its way when a job is
stopped is a second's worth, however fast this process is."""

LOOK = 0.25
"""Seconds between two looks at a job that waits: for its pace, or for the end of a stage."""

SLOWEST, FASTEST = 0.001, 10_000.0
"""Items a second, between which every rate is."""

Runner = Job.Runner


class Refused(NotificationError):
    """A job that cannot be begun, or gone on with, as asked."""

    default_code = "job_refused"


class AlreadyOpen(Refused):
    """The same job is open. `job`: that one."""

    def __init__(self, job: Job) -> None:
        self.job = job
        super().__init__(
            gettext("Job %(number)s with this filter is %(state)s, begun by %(actor)s.")
            % {"number": job.pk, "state": job.get_state_display(), "actor": job.actor}
        )


class MoreThanCounted(Refused):
    """More is meant now than the one who began it was told."""


def meant(work: Work, wanted: Filter) -> QuerySet[Any]:
    """What the filter means now; of a `limit` in it, so many of them, the oldest."""
    found = work.found(wanted)
    if limit := wanted.get("limit"):
        oldest = found.order_by(work.made_at, "pk").values("pk")[:limit]
        found = found.model._default_manager.filter(pk__in=oldest)
    return found


def begin(
    work: Work,
    wanted: Filter,
    *,
    by: str,
    reason: str,
    rate: float,
    override: bool = False,
    stage: tuple[int, int] | None = None,
    runner: Job.Runner = Runner.PROCESS,
    counted: int | None = None,
) -> Job:
    """A new job with an item for each thing the filter means now. All of it or nothing.

    rate: items a second. stage: the number of its first, and how many items that has. counted: how
    many there may be at most, as whoever begins it was told. Raises AlreadyOpen, MoreThanCounted.
    """
    number, left = stage or (None, None)
    with transaction.atomic(using=_database()):
        job = _only_one(
            kind=work.kind,
            filter=dict(wanted),
            sameness=Job.sameness_of(work.kind, wanted, override=override),
            runner=runner,
            actor=by,
            reason=redact(reason),
            rate=rate,
            override=override,
            stage=number,
            stage_left=left,
        )
        job.total = JobItem.objects.fill(
            job,
            work.column,
            meant(work, wanted),
            made_at=work.made_at,
            most=None if counted is None else counted + 1,
        )
        if counted is not None and job.total > counted:
            raise MoreThanCounted(
                gettext("There are more by now than the %(counted)s that were counted.")
                % {"counted": counted}
            )
        job.counts = {str(Outcome.WAITING): job.total} if job.total else {}
        job.save(update_fields=["total", "counts"])
        job.write(f"begun, {items(job.total)}: {reason}", by=by)
        filtered = {"filter": _for_audit(wanted), "rate": rate, "override": override}
        audit.record(
            f"job.{job.kind}",
            by=by,
            reason=reason,
            target=job,
            after={"state": job.state, **filtered},
            count=job.total,
        )
    return job


def alike(work: Work, wanted: Filter, *, override: bool) -> Job | None:
    """The open job that is the same as this one would be, if there is one."""
    same = Job.sameness_of(work.kind, wanted, override=override)
    return Job.objects.open().filter(sameness=same).first()


def _only_one(**values: Any) -> Job:
    while True:
        try:
            with transaction.atomic(using=_database()):
                return Job.objects.create(**values)
        except IntegrityError:
            known = Job.objects.open().filter(sameness=values["sameness"]).first()
            if known is not None:
                raise AlreadyOpen(known) from None
            # Race: it has ended since.


def go_on(
    work: Work,
    job_id: int,
    *,
    by: str,
    rate: float | None = None,
    reason: str = "",
    runner: Job.Runner = Runner.PROCESS,
) -> Job:
    """Let a job run on that was stopped, or whose process died. Raises Refused.

    What has ended meanwhile is taken note of first: of a failure that is known by now, whoever
    goes on knows. runner: who goes on with it.
    """
    with transaction.atomic(using=_database()):
        job = _held_open(job_id)
        if job.kind != work.kind:
            raise Refused(gettext("There is no job %(job_id)s of this kind.") % {"job_id": job_id})
        if job.state == Job.State.RUNNING and job.runner == runner == Runner.RELAY:
            raise Refused(gettext("Job %(job_id)s is running already.") % {"job_id": job_id})
        died = job.state == Job.State.RUNNING
        before = {"state": job.state, "rate": job.rate, "runner": job.runner}
        job.state, job.runner = Job.State.RUNNING, runner
        if rate:
            _take_pace(job, rate)
        work.look(job)
        text = f"gone on with{', it had not been stopped' if died else ''}"
        job.write(f"{text}{f': {reason}' if reason else ''}", by=by)
        _save(job)
        after = {"state": job.state, "rate": job.rate, "runner": job.runner}
        _audit("resume", job, by=by, reason=reason, before=before, after=after)
    return job


def halt(job_id: int, *, by: str, why: str = "", cancel: bool = False) -> Job:
    """Stop a job, or cancel it for good. What it has put on its way stays there. Raises Refused."""
    with transaction.atomic(using=_database()):
        job = _held_open(job_id)
        state = Job.State.CANCELLED if cancel else Job.State.STOPPED
        if job.state != state:
            before = {"state": job.state}
            job.state, job.finished_at = state, job.now if cancel else None  # type: ignore[attr-defined]
            job.write(f"{job.state}{f': {why}' if why else ''}", by=by)
            _save(job)
            verb = "cancel" if cancel else "pause"
            _audit(verb, job, by=by, reason=why, before=before, after={"state": job.state})
    return job


def set_rate(job_id: int, rate: float, *, by: str, reason: str) -> Job:
    """From its next item on, so many a second. Raises Refused."""
    if not SLOWEST <= rate <= FASTEST:  # neither is what is no number
        raise Refused(
            gettext("A rate is %(slowest)s to %(fastest)s items a second.")
            % {"slowest": f"{SLOWEST:g}", "fastest": f"{FASTEST:g}"}
        )
    with transaction.atomic(using=_database()):
        job = _held_open(job_id)
        before = job.rate
        _take_pace(job, rate)
        job.write(f"{rate:g} a second at most, it was {before:g}: {reason}", by=by)
        _save(job)
        _audit("set_rate", job, by=by, reason=reason, before={"rate": before}, after={"rate": rate})
    return job


def _take_pace(job: Job, rate: float) -> None:
    """Its next item is not waited for as the old rate would have it."""
    now: datetime = job.now  # type: ignore[attr-defined]
    job.rate, job.next_at = rate, min(job.next_at, now + timedelta(seconds=1 / rate))


def _held_open(job_id: int) -> Job:
    job = Job.objects.held(job_id)
    if job is None:
        raise Refused(gettext("There is no job %(job_id)s.") % {"job_id": job_id})
    if job.state not in Job.OPEN:
        raise Refused(
            gettext("Job %(job_id)s is %(state)s already.")
            % {"job_id": job_id, "state": job.get_state_display()}
        )
    return job


def run(
    work: Work,
    job_id: int,
    *,
    said: Callable[[Job], None] = lambda job: None,
    stopping: Callable[[], bool] = lambda: False,
) -> Job:
    """Work the job off until it is over, stopped by whomever, or left to the relays. Gives it as
    it then is.

    said: called after each step. stopping: whether this process is to end.
    """
    while True:
        with transaction.atomic(using=_database()):
            job = Job.objects.held(job_id)
            if job is None:
                raise Refused(gettext("There is no job %(job_id)s any more.") % {"job_id": job_id})
            ours = job.runner == Runner.PROCESS
            wait = step(work, job) if ours else 0.0
        said(job)
        if job.state != Job.State.RUNNING or not ours:
            return job
        if stopping():
            return halt(job_id, by=job.actor, why="interrupted")
        if wait:
            time.sleep(min(wait, LOOK))


def try_out(work: Work, wanted: Filter, *, override: bool) -> list[tuple[Any, Verdict]]:
    """What would become of each thing the filter means now. Nothing is changed."""
    job = Job(kind=work.kind, filter=dict(wanted), override=override)
    found = meant(work, wanted).order_by(work.made_at, "pk")
    return [(each, weigh(work, each, job)) for each in found.iterator(chunk_size=500)]


def weigh(work: Work, subject: Any, job: Job) -> Verdict:
    """The same as `work.weigh`, however the shop's hooks fail: that is a refusal of one item. And
    what another job has is left to that one.

    In a savepoint, so that a query of theirs that fails spoils no transaction of ours.
    """
    try:
        with transaction.atomic(using=_database()):
            other = JobItem.objects.elsewhere(job, {work.column: subject.pk})
            if other is not None:
                has = "has it" if other.outcome == Outcome.WAITING else "has done it meanwhile"
                return left_alone(f"job {other.job_id}, begun by {other.job.actor}, {has}")
            return work.weigh(subject, job)
    except NotificationError as error:
        return refused(str(error))
    except Exception as error:
        if connections[_database()].needs_rollback:
            raise  # not the shop's: our own connection is gone, and with it the transaction
        return refused(f"the shop could not be asked: {type(error).__name__}")


def step(work: Work, job: Job) -> float:
    """Take the next step of a job whose row is held. For how long there is nothing to do then.

    A job that does not run is left as it is.
    """
    if job.state != Job.State.RUNNING:
        return 0.0
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
    return max(wait, 0.0)


def _begin_item(work: Work, job: Job, item: JobItem, now: datetime) -> None:
    subject = work.take(item)
    verdict = left_alone("there is no such row any more")
    if subject is not None:
        with spans.span(f"{job.kind} item", root=True, job=job.pk):
            verdict = weigh(work, subject, job)
            if verdict.is_yes:
                verdict = _order(work, subject, job, now)
    item.outcome, item.why = verdict.outcome, redact(verdict.why)
    item.dispatch, item.stage = verdict.dispatch, job.stage
    item.event_id = verdict.event_id or item.event_id
    item.consumer, item.generation = verdict.consumer, verdict.generation
    # Race: another job may have been begun while the shop was asked, whose list has it, too.
    item.moved_at = Now()
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
        with transaction.atomic(using=_database()), audit.covered():
            return work.order(subject, job, at=job.pace(now))
    except Exception as error:
        if is_away(error):
            raise
        # One item must not keep the others.
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
            *("state", "runner", "rate", "stage", "stage_left", "counts", "next_at"),
            *("moved_at", "finished_at"),
        ]
    )


def _audit(verb: str, job: Job, **about: Any) -> None:
    audit.record(f"job.{verb}", target=job, count=job.total, **about)


def _for_audit(wanted: Filter) -> dict[str, Any]:
    """Without the ids of a long selection: the job has them all. And by hashes what was searched
    for, which may be a person's: the job can be made to forget it, the audit cannot."""
    kept = {
        name: value[: audit.NAMED] if isinstance(value, list) else value
        for name, value in wanted.items()
    }
    if "named" in kept:
        kept["named"] = sorted(map(_unnamed, kept["named"]))
    return kept


def _unnamed(text: str) -> str:
    what, _, name = text.partition(":")
    if what in ("delivery", "event", "address_hash"):
        return text
    return f"{what}:{audit.Person(name).hashed}"


def _database() -> str:
    return router.db_for_write(Job)
