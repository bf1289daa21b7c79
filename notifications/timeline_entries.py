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

from django.utils import timezone
from django.utils.translation import gettext, ngettext

from notifications import consumers, topology
from notifications.durations import words
from notifications.models import (
    Attempt,
    AuditEntry,
    DeadLetter,
    Delivery,
    Dispatch,
    Event,
    Handled,
    JobEntry,
    JobItem,
    Pause,
    Receipt,
    ScheduledEvent,
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
    RENDERED = "rendered"
    ATTEMPT = "attempt"
    RECEIPT = "receipt"
    DELIVERY = "delivery"
    CONSUMER = "consumer"
    DEAD_LETTER = "dead_letter"
    AHEAD = "ahead"


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
    who = {"source": event.source, "whom": ", ".join(event.expected) or gettext("nobody")}
    detail = (
        gettext("by another publisher, %(source)s; for %(whom)s")
        if event.foreign
        else gettext("by %(source)s; for %(whom)s")
    ) % who
    ids = {"event": str(event.id)} | ({"trace": event.traceparent} if event.traceparent else {})
    what = gettext("%(type)s recorded") % {"type": event.type}
    yield Entry(event.recorded_at, Kind.EVENT, what, detail, event.id, "", ids)


def of_scheduled(row: ScheduledEvent) -> Iterator[Entry]:
    """That it was, and what became of it. What was recorded is an event, which tells the rest; what
    an operator has called off, the audit."""
    ids = {"scheduled": str(row.pk)}
    named = {"type": row.event_type, "due": f"{timezone.localtime(row.due_at):%Y-%m-%d %H:%M}"}
    what = gettext("%(type)s scheduled for %(due)s") % named
    yield Entry(row.created_at, Kind.EVENT, what, row.key, ids=ids)
    match row.state:
        case ScheduledEvent.State.WAITING:
            detail = redact(row.error) or row.key
            yield Entry(row.due_at, Kind.AHEAD, gettext("%(type)s is due") % named, detail, ids=ids)
        case ScheduledEvent.State.CALLED_OFF if row.over_at and not row.called_off_by:
            what = gettext("%(type)s called off") % named
            yield Entry(row.over_at, Kind.EVENT, what, gettext("by the shop"), ids=ids)
        case ScheduledEvent.State.REFUSED if row.over_at:
            what = gettext("%(type)s could not be recorded") % named
            yield Entry(row.over_at, Kind.EVENT, what, redact(row.error), ids=ids)


def of_dispatch(dispatch: Dispatch) -> Iterator[Entry]:
    """When it was due, when a relay took it (known while it holds it), and when it was out."""
    consumer = "" if dispatch.kind == Dispatch.Kind.TOPIC else consumer_of(dispatch.destination)
    place = {"place": f"{dispatch.kind} {dispatch.destination}"}
    tried = gettext("%(tries)d tries") % {"tries": dispatch.tries}
    tries = tried if dispatch.tries > 1 else ""
    error = redact(dispatch.last_error)
    about = gettext("%(reason)s, generation %(number)d") % {
        "reason": dispatch.get_reason_display(),
        "number": dispatch.generation,
    }

    def entry(at: datetime, what: str, *detail: str, **ids: str) -> Entry:
        named = {"dispatch": str(dispatch.pk), **ids}
        said = _joined(*detail)
        return Entry(at, Kind.DISPATCH, what, said, dispatch.event_id, consumer, named)

    yield entry(dispatch.available_at, gettext("available for %(place)s") % place, about)
    if dispatch.state == Dispatch.State.CLAIMED and dispatch.lease_until:
        claimed = gettext("claimed for %(place)s") % place
        yield entry(dispatch.lease_until - LEASE, claimed, tries, error)
    if dispatch.published_at:
        to = {"sns" if dispatch.kind == Dispatch.Kind.TOPIC else "sqs": dispatch.message_id}
        published = gettext("published to %(place)s") % place
        yield entry(dispatch.published_at, published, tries, **to)
    elif error and dispatch.state == Dispatch.State.WAITING:
        again = gettext("to be tried again for %(place)s") % place
        yield entry(dispatch.available_at, again, tries, error)


def of_handled(row: Handled) -> Iterator[Entry]:
    """The last that is known: an open one is where it was left."""
    failed = ngettext("%(count)d failed attempt", "%(count)d failed attempts", row.attempts)
    failed %= {"count": row.attempts}
    detail = _joined(failed if row.attempts else "", redact(row.last_error))
    what = f"{row.consumer}: {row.get_outcome_display()}"
    at = row.done_at or row.received_at
    ids = {"handled": str(row.pk)}
    yield Entry(at, Kind.CONSUMER, what, detail, row.event_id, row.consumer, ids)


def of_delivery(delivery: Delivery) -> Iterator[Entry]:
    """Where it stands, at the moment it came there; and an operator's word on it."""
    who = delivery.recipient
    if seen := delivery.masked_address:
        who = gettext("%(who)s at %(address)s") % {"who": who, "address": seen}
    error = redact(delivery.last_error, address=delivery.address)
    by = gettext("insisted on by %(who)s") % {"who": redact(delivery.override)}
    insisted = by if delivery.override else ""
    number = gettext("generation %(number)d") % {"number": delivery.generation}
    again = number if delivery.generation else ""
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
        what = gettext("%(channel)s: settled as %(state)s") % {
            "channel": delivery.channel,
            "state": delivery.get_state_display(),
        }
        yield Entry(at, Kind.OPERATOR, what, error, delivery.event_id, consumer, ids)


def of_attempt(attempt: Attempt, delivery: Delivery | None) -> Iterator[Entry]:
    took = "" if attempt.duration_ms is None else words(attempt.duration_ms / 1000)
    address = delivery.address if delivery else ""
    said = redact(attempt.detail, address=address)
    detail = _joined(attempt.provider, took, attempt.code, said)
    channel = delivery.channel if delivery else ""
    number = f"{attempt.generation}.{attempt.number}" if attempt.generation else attempt.number
    outcome = attempt.get_outcome_display()
    named = {"channel": channel, "number": number, "outcome": outcome}
    what = gettext("%(channel)s attempt %(number)s: %(outcome)s") % named
    yield Entry(
        attempt.started_at,
        Kind.ATTEMPT,
        what.lstrip(),
        detail,
        delivery.event_id if delivery else None,
        consumers.name_serving(channel) if channel else "",
        {"attempt": attempt.tag, "worker": attempt.worker},
    )


def of_receipt(receipt: Receipt, delivery: Delivery | None) -> Iterator[Entry]:
    """At the time it came; the provider's own clock is told apart."""
    late = words((receipt.received_at - receipt.occurred_at).total_seconds())
    became = gettext("the delivery is %(state)s") % {"state": receipt.moved_to}
    moved = became if receipt.moved_to else gettext("moved nothing")
    said = redact(receipt.detail, address=delivery.address if delivery else "")
    old = gettext("%(span)s old") % {"span": late}
    detail = _joined(old, receipt.code, said, moved)
    channel = delivery.channel if delivery else ""
    named = {"channel": channel, "provider": receipt.provider, "kind": receipt.get_kind_display()}
    what = gettext("%(channel)s receipt from %(provider)s: %(kind)s") % named
    yield Entry(
        receipt.received_at,
        Kind.RECEIPT,
        what.lstrip(),
        detail,
        delivery.event_id if delivery else None,
        consumers.name_serving(channel) if channel else "",
        {"receipt": str(receipt.pk)},
    )


def of_dead_letter(letter: DeadLetter) -> Iterator[Entry]:
    consumer = consumer_of(letter.queue)
    ids = {"dead_letter": str(letter.pk)}
    tried = ngettext("%(count)d attempt", "%(count)d attempts", letter.attempts)
    tried %= {"count": letter.attempts}
    detail = _joined(letter.reason, tried if letter.attempts else "", redact(letter.error))
    what = gettext("%(queue)s: dead letter") % {"queue": letter.queue}
    yield Entry(letter.created_at, Kind.DEAD_LETTER, what, detail, letter.event_id, consumer, ids)
    if letter.changed_at:
        restored = letter.state == DeadLetter.State.OPEN
        became = gettext("restored") if restored else letter.get_state_display()
        named = {"queue": letter.queue, "became": became}
        what = gettext("%(queue)s: dead letter %(became)s") % named
        detail = _by(letter.changed_by, letter.change_reason)
        at = letter.changed_at
        yield Entry(at, Kind.OPERATOR, what, detail, letter.event_id, consumer, ids)


def of_item(item: JobItem, event_id: UUID | None) -> Iterator[Entry]:
    """What an operator's job made of it. event_id: of the delivery or dead letter it mended."""
    job = item.job
    insisted = gettext("although it is no longer true") if job.override else ""
    detail = _joined(_by(job.actor, job.reason), insisted, redact(item.why))
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
    by = _by(line.by) if line.by else ""
    yield Entry(
        line.at, Kind.OPERATOR, f"{job}: {redact(line.text)}", by, ids={"job": str(line.job_id)}
    )


def of_pause(pause: Pause) -> Iterator[Entry]:
    ids = {"pause": str(pause.pk)}
    named = {"what": str(pause)}
    paused = gettext("%(what)s paused") % named
    detail = _by(pause.paused_by, pause.reason)
    yield Entry(pause.paused_at, Kind.OPERATOR, paused, detail, ids=ids)
    if pause.resumed_at:
        resumed = gettext("%(what)s resumed") % named
        yield Entry(pause.resumed_at, Kind.OPERATOR, resumed, _by(pause.resumed_by), ids=ids)


def of_audit(entry: AuditEntry, event_id: UUID | None) -> Iterator[Entry]:
    """What an operator did. event_id: of what they did it to."""
    what = entry.action.replace(".", " ").replace("_", " ")
    by = _by(entry.actor, entry.reason)
    yield Entry(entry.at, Kind.OPERATOR, what, by, event_id, "", {"audit": str(entry.pk)})


def consumer_of(queue: str) -> str:
    """Whose queue that is, a consumer that is gone included."""
    for declared in topology.current().queues:
        if declared.name == queue:
            return declared.consumer
    return queue.removesuffix("-bulk")


def _by(who: str, why: str = "") -> str:
    if why:
        return gettext("by %(who)s: %(why)s") % {"who": who, "why": redact(why)}
    return gettext("by %(who)s") % {"who": who}


def _joined(*parts: str) -> str:
    """What there is of these, each once: a provider's code is often all that it said."""
    return "; ".join(dict.fromkeys(filter(None, parts)))
