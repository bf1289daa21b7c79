"""Timeline: everything that is known of one subject, in order of time, and whether it is complete.

    timeline("order/17").completeness.words(now)  →  "6 of 7; analytics has not reported for 12 min"

Each table is asked once, by the subject that stands on every row, whatever the number of rows.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from itertools import chain
from typing import Any, TypeVar
from uuid import UUID

from django.db.models import Count, Max, Min, Model, Q, QuerySet
from django.db.models.functions import Coalesce
from django.utils import timezone
from django.utils.module_loading import import_string

from notifications import completeness, consumers, lag
from notifications import timeline_entries as entries
from notifications.completeness import Completeness, Facts, Tally
from notifications.conf import conf
from notifications.lag import Lag
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
from notifications.models.settlement import SETTLED_BY_OPERATOR
from notifications.timeline_entries import RANK, Entry

TOLD_BY_ROWS = frozenset({"dead_letter.discard", "dead_letter.restore", "delivery.settle"})
"""Actions of which the row that was moved tells the latest."""

MOST = 1000
"""Rows of one table; of a subject with more (an announcement to many), the latest."""

_ORDER = re.compile(r"#?([0-9]{1,18})\Z")

Row = TypeVar("Row", bound=Model)


def subject_of(given: str) -> str:
    """What somebody typed, as events name it: "17" and "#17" are order/17."""
    number = _ORDER.match(given.strip())
    return f"order/{int(number[1])}" if number else given.strip()


@dataclass(frozen=True)
class Told:
    """One event of the subject, and how far it came."""

    event_id: UUID
    type: str
    time: datetime
    completeness: Completeness
    lags: tuple[Lag, ...]


@dataclass(frozen=True)
class Timeline:
    """at: when it was asked. cut: the tables of which only the latest rows are shown, by name."""

    subject: str
    at: datetime
    entries: tuple[Entry, ...]
    events: tuple[Told, ...]
    completeness: Completeness
    cut: tuple[str, ...] = ()


def timeline(subject: str) -> Timeline:
    """Of the subject as events name it: "order/17". Without entries when nobody knows it."""
    rows = _Rows.of(subject)
    facts = [_facts(event, rows) for event in rows.events]
    told = tuple(_told(each) for each in facts)
    together = completeness.together(each.completeness for each in told)
    found = [*_of_shop(subject), *rows.entries()]
    found += _pauses(rows.events, found, until_now=not together.is_complete)
    found.sort(key=lambda entry: (entry.at, RANK[entry.kind]))
    return Timeline(subject, timezone.now(), tuple(found), told, together, tuple(rows.cut))


@dataclass(frozen=True)
class _Rows:
    """The rows of one subject, table by table."""

    events: list[Event]
    dispatches: list[Dispatch]
    handled: list[Handled]
    deliveries: list[Delivery]
    attempts: list[Attempt]
    receipts: list[Receipt]
    letters: list[DeadLetter]
    items: list[JobItem]
    log: list[JobEntry]
    audits: list[AuditEntry]
    scheduled: list[ScheduledEvent]
    tallies: Mapping[tuple[UUID, str], Tally]
    cut: list[str]

    @classmethod
    def of(cls, subject: str) -> _Rows:
        cut: list[str] = []

        def latest(found: QuerySet[Row], moment: str) -> list[Row]:
            rows = list(found.filter(subject=subject).order_by(f"-{moment}", "-pk")[: MOST + 1])
            if len(rows) > MOST:
                cut.append(str(found.model._meta.verbose_name_plural))
            return rows[:MOST][::-1]

        items = latest(JobItem.objects.select_related("job"), "id")
        jobs = {item.job_id for item in items}
        log = JobEntry.objects.filter(job_id__in=jobs).order_by("-id")[:MOST] if jobs else ()
        return cls(
            events=latest(Event.objects.all(), "time"),
            dispatches=latest(Dispatch.objects.defer("body", "attributes"), "created_at"),
            handled=latest(Handled.objects.all(), "received_at"),
            deliveries=latest(Delivery.objects.all(), "created_at"),
            attempts=latest(Attempt.objects.all(), "started_at"),
            receipts=latest(Receipt.objects.all(), "received_at"),
            letters=latest(DeadLetter.objects.defer("body", "attributes"), "created_at"),
            items=items,
            log=list(log),
            audits=latest(AuditEntry.objects.exclude(target_kind="job"), "id"),
            scheduled=latest(ScheduledEvent.objects.defer("data"), "created_at"),
            tallies=_tallies(subject),
            cut=cut,
        )

    def entries(self) -> Iterator[Entry]:
        sent = {delivery.pk: delivery for delivery in self.deliveries}
        events: dict[Any, UUID | None] = {each.pk: each.event_id for each in self.deliveries}
        events |= {letter.pk: letter.event_id for letter in self.letters}
        jobs = {item.job_id: str(item.job) for item in self.items}
        yield from _each(entries.of_event, self.events)
        yield from _each(entries.of_scheduled, self.scheduled)
        yield from _each(entries.of_dispatch, self.dispatches)
        yield from _each(entries.of_handled, self.handled)
        yield from _each(entries.of_delivery, self.deliveries)
        yield from _each(entries.of_dead_letter, self.letters)
        for attempt in self.attempts:
            yield from entries.of_attempt(attempt, sent.get(attempt.delivery_id))
        for receipt in self.receipts:
            yield from entries.of_receipt(receipt, sent.get(receipt.delivery_id))
        for item in self.items:
            yield from entries.of_item(item, events.get(item.delivery_id or item.dead_letter_id))
        for line in self.log:
            yield from entries.of_log(line, jobs[line.job_id])
        by_target = {str(pk): event for pk, event in events.items()}
        for done in self._untold():
            yield from entries.of_audit(done, by_target.get(done.target))

    def _untold(self) -> Iterator[AuditEntry]:
        """What operators did, without what the rows say themselves: who moved them last."""
        told = {
            *(
                ("deadletter", str(each.pk))
                for each in self.letters
                if each.changed_at and each.state != DeadLetter.State.REDRIVEN
            ),
            *(
                ("delivery", str(each.pk))
                for each in self.deliveries
                if each.reason == SETTLED_BY_OPERATOR
            ),
        }
        for done in reversed(self.audits):
            target = (done.target_kind, done.target)
            if done.action in TOLD_BY_ROWS and target in told:
                told.remove(target)
            else:
                yield done


def _each(translate: Any, rows: Iterable[Any]) -> Iterator[Entry]:
    return chain.from_iterable(map(translate, rows))


def _of_shop(subject: str) -> list[Entry]:
    path = conf().timeline
    return list(import_string(path)(subject)) if path else []


def _tallies(subject: str) -> dict[tuple[UUID, str], Tally]:
    """Counted by PostgreSQL: of an announcement there are more deliveries than are shown."""
    first, is_open = Q(generation=0), Q(state__in=Delivery.OPEN)
    counted = (
        Delivery.objects.filter(subject=subject)
        .order_by()
        .values_list("event_id", "channel")
        .annotate(
            total=Count("id"),
            open=Count("id", filter=is_open),
            next=Min("next_try_at", filter=is_open),
            began=Min("started_at", filter=first),
            ended=Max(Coalesce("sent_at", "finished_at"), filter=first),
            waits=Max("reason", filter=is_open & Q(reason__in=wait.WORDS)),
        )
    )
    return {(event, channel): Tally(*figures) for event, channel, *figures in counted}


def _facts(event: Event, rows: _Rows) -> Facts:
    published = [
        row.published_at
        for row in rows.dispatches
        if row.event_id == event.id and row.kind == Dispatch.Kind.TOPIC and row.published_at
    ]
    return Facts(
        event,
        published_at=min(published, default=None),
        handled={row.consumer: row for row in rows.handled if row.event_id == event.id},
        tallies={channel: tally for (of, channel), tally in rows.tallies.items() if of == event.id},
        dead_letters={
            entries.consumer_of(letter.queue): letter.pk
            for letter in rows.letters
            if letter.event_id == event.id and letter.state == DeadLetter.State.OPEN
        },
        steps={
            entries.consumer_of(row.destination): row.published_at
            for row in rows.dispatches
            if row.event_id == event.id and row.reason == Dispatch.Reason.FELL_BACK
        },
        lanes={
            entries.consumer_of(row.destination): row.published_at
            for row in rows.dispatches
            if row.event_id == event.id
            and row.reason == Dispatch.Reason.ANNOUNCED
            and row.published_at
        },
    )


def _told(facts: Facts) -> Told:
    event = facts.event
    reported = completeness.of_event(facts)
    return Told(event.id, event.type, event.time, reported, tuple(lag.of_event(facts)))


def _pauses(events: list[Event], found: list[Entry], *, until_now: bool) -> list[Entry]:
    """What an operator held of it while it was on its way."""
    if not events:
        return []
    expected = {name for event in events for name in event.expected}
    expected |= {entry.consumer for entry in found} - {""}
    queues = {name for consumer in expected for name in (consumer, f"{consumer}-bulk")}
    channels = {consumers.channel_of(consumer) for consumer in expected} - {""}
    held = Q(kind=Pause.Kind.QUEUE, name__in=queues)
    held |= Q(kind=Pause.Kind.CHANNEL, name__in=channels)
    types = {event.type for event in events}
    held |= Q(kind=Pause.Kind.EVENT_TYPE, name__in=types)
    templates = {f"{event_type}/{channel}" for event_type in types for channel in channels}
    held |= Q(kind=Pause.Kind.TEMPLATE, name__in=templates)
    since = min(event.recorded_at for event in events)
    over = Q(resumed_at=None) | Q(resumed_at__gte=since)
    upto = timezone.now() if until_now else max(entry.at for entry in found)
    pauses = Pause.objects.filter(held, over, paused_at__lte=upto).order_by("-id")[:MOST]
    return list(_each(entries.of_pause, pauses))
