"""The timeline of one delivery: what is on record of it, in order of time, and what comes next.

The one of a subject (`notifications.timeline`) has everything about an order in the words of all
its rows. This one has a single duty: each claim, each answer, who laid hands on it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import timedelta
from typing import Any

from django.db.models import Q
from django.utils.translation import gettext as _

from notifications import consumers, topology
from notifications.durations import words
from notifications.models import (
    Attempt,
    AuditEntry,
    Delivery,
    Dispatch,
    Event,
    JobItem,
    Receipt,
    RenderedContent,
    wait,
)
from notifications.models.settlement import SETTLED_BY_OPERATOR
from notifications.redaction import redact
from notifications.timeline_entries import RANK, Entry, Kind

MOST = 100
"""Rows of one table; of more, the latest."""


def timeline(delivery: Delivery) -> list[Entry]:
    """What happened, the earliest first; then what is to come, if anything is."""
    audited = list(_latest(AuditEntry.objects.filter(target=str(delivery.pk))))
    entries = [
        *_of_event(delivery),
        *_of_dispatches(delivery),
        *_of_attempts(delivery),
        *_of_texts(delivery),
        *_of_receipts(delivery),
        *_of_jobs(delivery),
        *map(_of_audit, audited),
        *_settled(delivery, audited),
        *_ended(delivery),
    ]
    entries.sort(key=lambda entry: (entry.at, RANK[entry.kind]))
    return [*entries, *_ahead(delivery)]


def _of_event(delivery: Delivery) -> Iterator[Entry]:
    event = Event.objects.filter(pk=delivery.event_id).defer("data").first()
    if event is None:
        what = _("%(type)s happened; its record is kept no longer") % {"type": delivery.event_type}
        yield Entry(delivery.event_time, Kind.EVENT, what)
        return
    what = _("%(type)s recorded") % {"type": event.type}
    source = _("by %(source)s") % {"source": event.source}
    yield Entry(event.recorded_at, Kind.EVENT, what, source, ids={"event": str(event.pk)})


def _of_dispatches(delivery: Delivery) -> Iterator[Entry]:
    """Those that have brought the event to this channel, or will."""
    consumer = consumers.name_serving(delivery.channel)
    queues = {queue.name for queue in topology.current().queues if queue.consumer == consumer}
    to_it = Q(kind=Dispatch.Kind.TOPIC) | Q(destination__in={consumer, *queues})
    found = Dispatch.objects.filter(to_it, event_id=delivery.event_id).defer("body", "attributes")
    for row in _latest(found.filter(generation__lte=delivery.generation)):
        place = {"place": f"{row.kind} {row.destination}"}
        about = row.get_reason_display()
        if row.generation:
            about += "; " + _("generation %(number)d") % {"number": row.generation}
        if error := redact(row.last_error):
            about += f"; {error}"
        if row.published_at:
            what, at = _("published to %(place)s") % place, row.published_at
        else:
            what, at = _("waits for %(place)s") % place, row.available_at
        yield Entry(at, Kind.DISPATCH, what, about, ids={"dispatch": str(row.pk)})


def _of_attempts(delivery: Delivery) -> Iterator[Entry]:
    for row in _latest(delivery.attempt_log.all()):
        named = {"number": f"{row.generation}.{row.number}"}
        ids = {"attempt": row.tag}
        by = _("by %(worker)s") % {"worker": row.worker} if row.worker else ""
        what = _("attempt %(number)s: claimed") % named
        yield Entry(row.started_at, Kind.ATTEMPT, what, by, ids=ids)
        if row.finished_at or row.outcome != Attempt.Outcome.STARTED:
            yield _answer(row, delivery, named, ids)


def _answer(
    row: Attempt, delivery: Delivery, named: Mapping[str, str], ids: Mapping[str, str]
) -> Entry:
    took = timedelta(milliseconds=row.duration_ms or 0)
    values = {**named, "outcome": row.get_outcome_display()}
    said = redact(row.detail, address=delivery.address)
    took_words = words(took.total_seconds()) if row.duration_ms is not None else ""
    detail = _joined(
        row.provider,
        _("asked: %(request)s") % {"request": row.request} if row.request else "",
        _("answered: %(answer)s") % {"answer": answer}
        if (answer := _joined(row.code, said, row.provider_message_id))
        else "",
        _("took %(time)s") % {"time": took_words} if took_words else "",
    )
    at = row.finished_at or row.started_at + took
    return Entry(at, Kind.ATTEMPT, _("attempt %(number)s: %(outcome)s") % values, detail, ids=ids)


def _of_texts(delivery: Delivery) -> Iterator[Entry]:
    kept = RenderedContent.objects.filter(delivery_id=delivery.pk)
    version = delivery.template_version or ""
    for generation, at in kept.values_list("generation", "created_at"):
        latest = generation == delivery.generation and version
        detail = _("version %(version)s") % {"version": version} if latest else ""
        what = _("rendered, and kept word for word") if not generation else ""
        what = what or _("rendered for generation %(number)d, and kept") % {"number": generation}
        yield Entry(at, Kind.RENDERED, what, detail)


def _of_receipts(delivery: Delivery) -> Iterator[Entry]:
    for row in _latest(Receipt.objects.filter(delivery_id=delivery.pk)):
        late = words((row.received_at - row.occurred_at).total_seconds())
        moved = _("the delivery is %(state)s") % {"state": row.moved_to} if row.moved_to else ""
        detail = _joined(
            _("of attempt %(number)s") % {"number": f"{row.generation}.{row.number}"},
            row.code,
            redact(row.detail, address=delivery.address),
            moved or _("it moved nothing"),
            _("%(time)s old") % {"time": late},
        )
        said = {"provider": row.provider, "kind": row.get_kind_display()}
        what = _("receipt of %(provider)s: %(kind)s") % said
        yield Entry(row.received_at, Kind.RECEIPT, what, detail, ids={"receipt": str(row.pk)})


def _of_jobs(delivery: Delivery) -> Iterator[Entry]:
    items = JobItem.objects.filter(delivery_id=delivery.pk).select_related("job")
    for item in _latest(items):
        job = item.job
        insisted = _("although it is no longer true") if job.override else ""
        detail = _joined(_by(job.actor, job.reason), insisted, redact(item.why))
        what = f"{job}: {item.get_outcome_display()}"
        at = item.moved_at or job.created_at
        yield Entry(at, Kind.OPERATOR, what, detail, ids={"job": str(job.pk)})


def _of_audit(entry: AuditEntry) -> Entry:
    changed = _joined(
        *(
            f"{name}: {entry.before.get(name, '')} → {entry.after.get(name, '')}"
            for name in {**entry.before, **entry.after}
        )
    )
    detail = _joined(_by(entry.actor, entry.reason), changed)
    return Entry(entry.at, Kind.OPERATOR, entry.action, detail, ids={"audit": str(entry.pk)})


def _settled(delivery: Delivery, audited: Iterable[AuditEntry]) -> Iterator[Entry]:
    """Of several that were settled at once the audit has a single entry, which names no row."""
    known = any(entry.action == "delivery.settle" for entry in audited)
    if delivery.reason == SETTLED_BY_OPERATOR and not known and delivery.finished_at:
        said = redact(delivery.last_error, address=delivery.address)
        yield Entry(delivery.finished_at, Kind.OPERATOR, "delivery.settle", said)


def _ended(delivery: Delivery) -> Iterator[Entry]:
    if delivery.finished_at:
        what = _("%(state)s: its last state") % {"state": delivery.get_state_display()}
        yield Entry(delivery.finished_at, Kind.DELIVERY, what, redact(delivery.reason))


def _ahead(delivery: Delivery) -> Iterator[Entry]:
    """What it waits for, whether or not that moment has come."""
    if delivery.state not in Delivery.OPEN:
        return
    if delivery.state == Delivery.State.SENDING and delivery.lease_until:
        what = _("its sender holds it until then, or has died")
        yield Entry(delivery.lease_until, Kind.AHEAD, what)
    elif delivery.next_try_at:
        reason = wait.words(delivery.reason, delivery.next_try_at)
        yield Entry(delivery.next_try_at, Kind.AHEAD, _("next try"), reason)
    else:
        unknown = delivery.state == Delivery.State.UNKNOWN
        what = _("waits for a receipt, or for an operator") if unknown else _("waits for its turn")
        yield Entry(delivery.updated_at, Kind.AHEAD, what)


def _latest(found: Any) -> list[Any]:
    return list(found.order_by("-pk")[:MOST])[::-1]


def _by(actor: str, reason: str) -> str:
    said = {"actor": actor, "reason": redact(reason)}
    return _("by %(actor)s: %(reason)s") % said if reason else _("by %(actor)s") % said


def _joined(*parts: str) -> str:
    return "; ".join(dict.fromkeys(filter(None, parts)))
