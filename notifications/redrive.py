"""Redrive: dead letters go back to their consumer, in stages of 1, 10, 100 and all the rest.

A stage is over when each of its items has come to an end, and the next begins only if none has
failed again: one letter shows whether the bug is mended, not ten thousand. Each letter travels
on its consumer's bulk queue as of a later generation than anybody has seen of its event, so
that the inbox takes it again and the deliveries that failed are owed once more. What was sent
stays sent.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from django.core.exceptions import ImproperlyConfigured
from django.db import router, transaction
from django.db.models import Max, QuerySet
from django.utils import timezone

from notifications import (
    consumers,
    envelope,
    fallback_steps,
    fallbacks,
    jobs,
    spans,
    topology,
    tracing,
)
from notifications.aws.batches import MAX_BYTES
from notifications.conf import conf
from notifications.consumers import Consumer
from notifications.dead_letters import MAX_ATTRIBUTES
from notifications.endings import endings
from notifications.envelope import Envelope
from notifications.exceptions import NotAnEvent, UnknownEvent
from notifications.filters import between
from notifications.horizon import too_old
from notifications.jobs import LOOK
from notifications.letter_discards import WIPED
from notifications.models import DeadLetter, Delivery, Dispatch, Event, Handled, Job, JobItem
from notifications.provenance import NotRecorded
from notifications.redaction import redact
from notifications.work import Filter, Outcome, Verdict, left_alone, refused

SIZES = (1, 10, 100, None)
"""Items of the first stage, the second, … ; the last has all that are left."""

KNOWN_BY_AGE = timedelta(minutes=15, seconds=1)
"""A body that cannot carry a generation must be so old, or its worker takes it for a fresh one and
leaves no word of its end (`notifications.worker.task`)."""

_COLUMNS = {
    "queue": "queue",
    "event_type": "event_type",
    "fingerprint": "fingerprint",
    "reason": "reason",
    "subject": "subject",
    "id": "pk",
}


def size_of(stage: int) -> int | None:
    """How many items the stage of that number, from 1, has; None: all that are left."""
    return SIZES[min(stage, len(SIZES)) - 1]


def queues_of(names: Iterable[str]) -> list[str]:
    """These queues; by a consumer's name all of its own, for what is redriven and fails again
    comes back from the bulk queue."""
    given = set(names)
    meant = {queue.name for queue in topology.current().queues if queue.consumer in given}
    return sorted(meant | given)


def filters() -> tuple[str, ...]:
    """The names of all of its filters that take several values."""
    return tuple(_COLUMNS)


def letters(wanted: Filter, state: DeadLetter.State) -> QuerySet[DeadLetter]:
    """Those in this state that the filter means."""
    meant = {**wanted, "queue": queues_of(wanted.get("queue", ()))}
    chosen = {f"{column}__in": meant[name] for name, column in _COLUMNS.items() if meant.get(name)}
    return DeadLetter.objects.filter(state=state, **chosen, **between("created_at", wanted))


@dataclass(frozen=True)
class Readable:
    """A letter, read as its consumer would read it now.

    raw: it goes as it came, for it has no generation that could be raised.
    """

    consumer: Consumer
    event: Envelope
    body: str
    raw: bool


def redrive_one(letter: DeadLetter, *, by: str, reason: str) -> str:
    """Redrive one letter, by a job of one item. Why it was not; empty when it is on its way.

    Its end is not waited for: the relays look after the job until then.
    """
    work, using = Redrive(), router.db_for_write(Job)
    try:
        with transaction.atomic(using=using):
            job = jobs.begin(
                work, {"id": [letter.pk]}, by=by, reason=reason, rate=1.0, runner=Job.Runner.RELAY
            )
            held = Job.objects.held(job.pk)
            if held is not None:
                jobs.step(work, held)
            item = job.items.get()
    except jobs.AlreadyOpen as error:
        return error.message.rstrip(".")
    except JobItem.DoesNotExist:  # whoever was quicker has dealt with it: there is no job, either
        letter.refresh_from_db(fields=["state"])
        return f"it is {letter.get_state_display()} already"
    return "" if item.outcome == Outcome.DISPATCHED else item.why


class Redrive:
    """Filters: queue, event_type, fingerprint, reason, subject, id (lists), since, until (of its
    keeping).

    A job without stages orders all of them at its rate, and stops likewise when one fails again.
    """

    kind = Job.Kind.REDRIVE
    column = "dead_letter_id"
    made_at = "created_at"

    def __init__(self) -> None:
        self._looks_at = 0.0

    def found(self, wanted: Filter) -> QuerySet[DeadLetter]:
        return letters(wanted, DeadLetter.State.OPEN)

    def take(self, item: JobItem) -> DeadLetter | None:
        return DeadLetter.objects.filter(mended_by=item).first()

    def weigh(self, letter: DeadLetter, job: Job) -> Verdict:
        if letter.state != DeadLetter.State.OPEN:
            return left_alone(f"it is {letter.get_state_display()} already")
        if letter.is_wiped:
            return refused(str(WIPED))
        try:
            read = readable(letter)
        except (ImproperlyConfigured, NotAnEvent, UnknownEvent) as error:
            return refused(f"its consumer could not read it: {error}")
        if read is None:
            return refused("it is none of its consumer's business")
        if why := too_old(letter.first_seen_at, letter.created_at, read.event.time):
            return refused(why)
        name = read.consumer.name
        if not read.consumer.channel and Handled.objects.is_done(name, read.event.id):
            return left_alone(_done_by(read.consumer))
        if read.consumer.channel and fallbacks.told_by_others(read.event, read.consumer.channel):
            return left_alone("another step of its fallback has told them already")
        return Verdict(Outcome.DISPATCHED)

    def order(self, letter: DeadLetter, job: Job, *, at: datetime) -> Verdict:
        read = readable(letter)
        if read is None or not DeadLetter.objects.mark_redriven(
            [letter.pk], by=job.actor, reason=job.reason
        ):
            return left_alone("it is open no more")
        event = read.event
        if not read.raw:
            event = replace(event, generation=_next_generation(read))
        after = f"redriven after {letter.reason}: {letter.error or letter.error_class}"
        if not Handled.objects.reopen(read.consumer.name, event, why=redact(after)):
            # Race: a copy of its message was being done while it was weighed. The letter stays.
            transaction.set_rollback(True, using=router.db_for_write(DeadLetter))
            return left_alone(_done_by(read.consumer))
        if read.consumer.channel:
            _failed(event, read.consumer.channel).reopen(generation=event.generation)
        dispatch = _dispatch(replace(read, event=event), letter, at)
        return Verdict(
            Outcome.DISPATCHED,
            dispatch=dispatch,
            event_id=event.id,
            consumer=read.consumer.name,
            generation=event.generation,
        )

    def look(self, job: Job) -> str:
        if time.monotonic() < self._looks_at:
            return ""
        began = time.monotonic()
        failed: list[JobItem] = []
        for item, outcome, why in endings(job.items.under_way()):
            if outcome is Outcome.REFUSED:
                _take_back(item, by=job.actor, why=why)
            item.outcome, item.why, item.moved_at = outcome, why, timezone.now()
            item.save(update_fields=["outcome", "why", "moved_at"])
            job.count(outcome, before=Outcome.DISPATCHED)
            failed += [item] if outcome is Outcome.FAILED else []
        now = time.monotonic()  # thousands under way: no more than a tenth of the time goes there
        self._looks_at = now + max(LOOK, 9 * (now - began))
        if not failed:
            return ""
        again = f"failed again: {failed[0].subject}: {failed[0].why}"
        if job.stage is None:
            return again
        job.stage_left = size_of(job.stage)  # it is to be passed, so it begins anew
        return f"stage {job.stage} {again}"

    def may_begin(self, job: Job) -> bool:
        if job.stage_left is None or job.stage_left:
            return True
        if job.items.under_way().exists():
            return False
        job.write(f"stage {job.stage} is over")
        job.stage = (job.stage or 1) + 1
        job.stage_left = size_of(job.stage)
        return True

    def is_over(self, job: Job) -> bool:
        return not job.items.under_way().exists()


def readable(letter: DeadLetter) -> Readable | None:
    """What the letter is to its consumer now, with the code as it is; None: none of its business.

    Raises NotAnEvent, UnknownEvent, and ImproperlyConfigured where its queue is no more.
    """
    consumer = consumers.get(topology.current().queue(letter.queue).consumer)
    body = bytes(letter.body).decode(errors="surrogatepass")
    if consumer.source is None:
        return Readable(consumer, envelope.read(body), body, raw=False)
    event = consumer.source.read(body)
    if event is None:
        return None
    if len(body.encode()) > MAX_BYTES:
        raise NotAnEvent(f"it has more than the {MAX_BYTES} bytes that one call may carry")
    return Readable(consumer, event, body, raw=True)


def row(letter: DeadLetter) -> dict[str, Any]:
    """How a letter is named to an operator."""
    return {
        "dead_letter": letter.pk,
        "queue": letter.queue,
        "event_type": letter.event_type,
        "subject": letter.subject,
        "was": letter.reason,
        "fingerprint": letter.fingerprint,
    }


def _take_back(item: JobItem, *, by: str, why: str) -> None:
    """Its message is lost: the letter is open as before, and its inbox row is not."""
    letter, state = item.dead_letter_id, DeadLetter.State
    if letter and item.event_id:
        DeadLetter.objects.move([letter], state.REDRIVEN, state.OPEN, by=by, reason=why)
        Handled.objects.close_lost(item.consumer, item.event_id, why=why)


def _done_by(consumer: Consumer) -> str:
    return f"{consumer.name} has done it already"


def _failed(event: Envelope, channel: str) -> Any:
    return Delivery.objects.filter(event_id=event.id, channel=channel, state=Delivery.State.FAILED)


def _next_generation(read: Readable) -> int:
    """Later than that of any message that this consumer has seen of the event."""
    event, consumer = read.event, read.consumer
    told = Delivery.objects.filter(event_id=event.id, channel=consumer.channel or None)
    seen = Handled.objects.filter(event_id=event.id, consumer=consumer.name)
    latest = (found.aggregate(latest=Max("generation"))["latest"] for found in (told, seen))
    return max(event.generation, *(generation or 0 for generation in latest)) + 1


def _dispatch(read: Readable, letter: DeadLetter, at: datetime) -> Dispatch:
    """The event as it is recorded; where it is not, the letter's own body, as of its generation."""
    event, queue = read.event, topology.current().bulk_queue(read.consumer.name).name
    if not read.raw:
        if event.foreign or letter.reason == NotRecorded.default_code:  # a person vouches for it
            fallback_steps.keep(event)
        elif conf().foreign_events is None:  # deleted, maybe, while its letter lay discarded
            Event.objects.keep(event, forgotten=True)
        if Event.objects.filter(pk=event.id).exists():
            return Dispatch.objects.postpone(
                event, queue=queue, until=at, reason=Dispatch.Reason.REDRIVEN
            )
    texts = {name: value for name, value in letter.attributes.items() if isinstance(value, str)}
    return Dispatch.objects.create(
        subject=event.subject[:255],
        kind=Dispatch.Kind.QUEUE,
        destination=queue,
        reason=Dispatch.Reason.REDRIVEN,
        generation=event.generation,
        body=read.body if read.raw else envelope.write(event),
        attributes=texts | _own_trace(texts),
        available_at=max(at, event.time + KNOWN_BY_AGE) if read.raw else at,
    )


def _own_trace(texts: Mapping[str, str]) -> dict[str, str]:
    """As of `Dispatch.objects.postpone`, where SQS takes one attribute more."""
    fits = tracing.HEADER in texts or len(texts) < MAX_ATTRIBUTES
    return tracing.carried() if fits and spans.is_on() else {}
