"""Timeline entries: what each kind of row says of a subject, in the words of an operator.

A shop adds its own by a hook, NOTIFICATIONS["TIMELINE"] = "shop.timeline.entries":

    def entries(subject):
        yield Entry(order.placed_at, Kind.SHOP, "placed", "3 lines, 58.00 €")
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from notifications import consumers, topology
from notifications.durations import words
from notifications.models import (
    Attempt,
    DeadLetter,
    Delivery,
    Dispatch,
    Event,
    Handled,
    JobEntry,
    JobItem,
    Pause,
    Receipt,
    wait,
)
from notifications.models.dispatch import LEASE
from notifications.models.settlement import SETTLED_BY_OPERATOR
from notifications.redaction import redact


class Kind(StrEnum):
    """What an entry is about; of two at one moment, the one named first here comes first."""

    SHOP = "shop"
    EVENT = "event"
    OPERATOR = "operator"
    DISPATCH = "dispatch"
    ATTEMPT = "attempt"
    RECEIPT = "receipt"
    DELIVERY = "delivery"
    CONSUMER = "consumer"
    DEAD_LETTER = "dead_letter"


RANK = {kind: rank for rank, kind in enumerate(Kind)}


@dataclass(frozen=True)
class Entry:
    """One thing that happened. No address stands in it but a masked one.

    at: aware. what: a few words. detail: the rest, one line; may be empty. event_id: the event
    that it belongs to, if to one. consumer: who it is about, if a consumer.
    ids: what to look it up by, by name: {"delivery": …, "sns": …}.
    """

    at: datetime
    kind: Kind
    what: str
    detail: str = ""
    event_id: UUID | None = None
    consumer: str = ""
    ids: Mapping[str, str] = field(default_factory=dict)


def of_event(event: Event) -> Iterator[Entry]:
    by = f"another publisher, {event.source}" if event.foreign else event.source
    detail = f"by {by}; for {', '.join(event.expected) or 'nobody'}"
    ids = {"event": str(event.id)} | ({"trace": event.traceparent} if event.traceparent else {})
    yield Entry(event.recorded_at, Kind.EVENT, f"{event.type} recorded", detail, event.id, "", ids)


def of_dispatch(dispatch: Dispatch) -> Iterator[Entry]:
    """When it was due, when a relay took it (known while it holds it), and when it was out."""
    consumer = "" if dispatch.kind == Dispatch.Kind.TOPIC else consumer_of(dispatch.destination)
    place = f"{dispatch.kind} {dispatch.destination}"
    tries = f"{dispatch.tries} tries" if dispatch.tries > 1 else ""
    error = redact(dispatch.last_error)
    about = f"{dispatch.get_reason_display()}, generation {dispatch.generation}"

    def entry(at: datetime, what: str, *detail: str, **ids: str) -> Entry:
        named = {"dispatch": str(dispatch.pk), **ids}
        said = _joined(*detail)
        return Entry(at, Kind.DISPATCH, what, said, dispatch.event_id, consumer, named)

    yield entry(dispatch.available_at, f"available for {place}", about)
    if dispatch.state == Dispatch.State.CLAIMED and dispatch.lease_until:
        yield entry(dispatch.lease_until - LEASE, f"claimed for {place}", tries, error)
    if dispatch.published_at:
        to = {"sns" if dispatch.kind == Dispatch.Kind.TOPIC else "sqs": dispatch.message_id}
        yield entry(dispatch.published_at, f"published to {place}", tries, **to)
    elif error and dispatch.state == Dispatch.State.WAITING:
        yield entry(dispatch.available_at, f"to be tried again for {place}", tries, error)


def of_handled(row: Handled) -> Iterator[Entry]:
    """The last that is known: an open one is where it was left."""
    attempts = f"{row.attempts} failed attempts" if row.attempts else ""
    detail = _joined(attempts, redact(row.last_error))
    what = f"{row.consumer}: {row.get_outcome_display()}"
    at = row.done_at or row.received_at
    ids = {"handled": str(row.pk)}
    yield Entry(at, Kind.CONSUMER, what, detail, row.event_id, row.consumer, ids)


def of_delivery(delivery: Delivery) -> Iterator[Entry]:
    """Where it stands, at the moment it came there; and an operator's word on it."""
    who = delivery.recipient + (f" at {seen}" if (seen := delivery.masked_address) else "")
    error = redact(delivery.last_error, address=delivery.address)
    insisted = f"insisted on by {redact(delivery.override)}" if delivery.override else ""
    again = f"generation {delivery.generation}" if delivery.generation else ""
    reason = wait.words(delivery.reason, delivery.next_try_at)
    reason = reason or delivery.reason.replace("_", " ")
    detail = _joined(who, reason, again, insisted, error)
    what = f"{delivery.channel}: {delivery.get_state_display()}"
    at = delivery.finished_at or delivery.updated_at
    consumer = consumers.name_serving(delivery.channel)
    ids = {"delivery": str(delivery.pk)}
    if delivery.provider_message_id:
        ids["provider"] = delivery.provider_message_id
    yield Entry(at, Kind.DELIVERY, what, detail, delivery.event_id, consumer, ids)
    if delivery.reason == SETTLED_BY_OPERATOR:
        what = f"{delivery.channel}: settled as {delivery.get_state_display()}"
        yield Entry(at, Kind.OPERATOR, what, error, delivery.event_id, consumer, ids)


def of_attempt(attempt: Attempt, delivery: Delivery | None) -> Iterator[Entry]:
    took = "" if attempt.duration_ms is None else words(attempt.duration_ms / 1000)
    address = delivery.address if delivery else ""
    said = redact(attempt.detail, address=address)
    detail = _joined(attempt.provider, took, attempt.code, said)
    channel = delivery.channel if delivery else ""
    number = f"{attempt.generation}.{attempt.number}" if attempt.generation else attempt.number
    yield Entry(
        attempt.started_at,
        Kind.ATTEMPT,
        f"{channel} attempt {number}: {attempt.get_outcome_display()}".lstrip(),
        detail,
        delivery.event_id if delivery else None,
        consumers.name_serving(channel) if channel else "",
        {"attempt": attempt.tag, "worker": attempt.worker},
    )


def of_receipt(receipt: Receipt, delivery: Delivery | None) -> Iterator[Entry]:
    """At the time it came; the provider's own clock is told apart."""
    late = words((receipt.received_at - receipt.occurred_at).total_seconds())
    moved = f"the delivery is {receipt.moved_to}" if receipt.moved_to else "moved nothing"
    said = redact(receipt.detail, address=delivery.address if delivery else "")
    detail = _joined(f"{late} old", receipt.code, said, moved)
    channel = delivery.channel if delivery else ""
    yield Entry(
        receipt.received_at,
        Kind.RECEIPT,
        f"{channel} receipt from {receipt.provider}: {receipt.get_kind_display()}".lstrip(),
        detail,
        delivery.event_id if delivery else None,
        consumers.name_serving(channel) if channel else "",
        {"receipt": str(receipt.pk)},
    )


def of_dead_letter(letter: DeadLetter) -> Iterator[Entry]:
    consumer = consumer_of(letter.queue)
    ids = {"dead_letter": str(letter.pk)}
    attempts = f"{letter.attempts} attempts" if letter.attempts else ""
    detail = _joined(letter.reason, attempts, redact(letter.error))
    what = f"{letter.queue}: dead letter"
    yield Entry(letter.created_at, Kind.DEAD_LETTER, what, detail, letter.event_id, consumer, ids)
    if letter.changed_at:
        became = "restored" if letter.state == DeadLetter.State.OPEN else letter.state
        what = f"{letter.queue}: dead letter {became}"
        detail = f"by {letter.changed_by}: {redact(letter.change_reason)}"
        at = letter.changed_at
        yield Entry(at, Kind.OPERATOR, what, detail, letter.event_id, consumer, ids)


def of_item(item: JobItem, event_id: UUID | None) -> Iterator[Entry]:
    """What an operator's job made of it. event_id: of the delivery or dead letter it mended."""
    job = item.job
    insisted = "although it is no longer true" if job.override else ""
    why = redact(item.why)
    detail = _joined(f"by {job.actor}: {redact(job.reason)}", insisted, why)
    yield Entry(
        item.moved_at or job.created_at,
        Kind.OPERATOR,
        f"{job}: {item.get_outcome_display()}",
        detail,
        event_id or item.event_id,
        item.consumer,
        {"job": str(job.pk), "item": str(item.pk)},
    )


def of_log(line: JobEntry, job: str) -> Iterator[Entry]:
    """One line of the log of a job that this was in."""
    by = f"by {line.by}" if line.by else ""
    yield Entry(
        line.at, Kind.OPERATOR, f"{job}: {redact(line.text)}", by, ids={"job": str(line.job_id)}
    )


def of_pause(pause: Pause) -> Iterator[Entry]:
    ids = {"pause": str(pause.pk)}
    detail = f"by {pause.paused_by}: {redact(pause.reason)}"
    yield Entry(pause.paused_at, Kind.OPERATOR, f"{pause} paused", detail, ids=ids)
    if pause.resumed_at:
        by = f"by {pause.resumed_by}"
        yield Entry(pause.resumed_at, Kind.OPERATOR, f"{pause} resumed", by, ids=ids)


def consumer_of(queue: str) -> str:
    """Whose queue that is, a consumer that is gone included."""
    for declared in topology.current().queues:
        if declared.name == queue:
            return declared.consumer
    return queue.removesuffix("-bulk")


def _joined(*parts: str) -> str:
    """What there is of these, each once: a provider's code is often all that it said."""
    return "; ".join(dict.fromkeys(filter(None, parts)))
