"""Told: whether somebody was told, of what, by which channels, and if not why not.

    told("customer/42").words  →  "in part, told of 2 of 3 events; not yet of order.shipped order/7"

Asked by a person's reference ("customer/42", with what is sent to "customer/42/…"), by a subject
("order/17"), or by an address. Each table is asked by an index, whatever the number of rows.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from django.db.models import Q
from django.utils import timezone

from notifications import audit, consumers
from notifications.models import (
    DeadLetter,
    Delivery,
    DigestItem,
    Dispatch,
    Event,
    Handled,
    Receipt,
)
from notifications.models.digest import DIGEST_FAILED, IN_DIGEST
from notifications.models.wait import DIGEST
from notifications.models.webhook_endpoint import REFERENCE as PARTNER
from notifications.recipients import mask, searched_hashes

MOST = 500
"""Deliveries that are looked at, and events: of more, the latest."""

NAMED = 5
"""Events that the answer names; of more, how many."""

_NUMBER = re.compile(r"#?([0-9]{1,18})\Z")


class Standing(StrEnum):
    """Of one delivery, or of one event: the best of its deliveries is what is known of it."""

    TOLD = "told"
    NOT_YET = "not_yet"
    UNKNOWN = "unknown"
    NOT_TOLD = "not_told"


_RANK = {standing: rank for rank, standing in enumerate(Standing)}
_OF_STATES: Mapping[str, Standing] = {
    Delivery.State.SENT: Standing.TOLD,
    Delivery.State.DELIVERED: Standing.TOLD,
    Delivery.State.COMPLAINED: Standing.TOLD,  # who complains has read it
    Delivery.State.PENDING: Standing.NOT_YET,
    Delivery.State.SENDING: Standing.NOT_YET,
    Delivery.State.RETRYING: Standing.NOT_YET,
    Delivery.State.UNKNOWN: Standing.UNKNOWN,
}


@dataclass(frozen=True)
class Line:
    """One delivery, with what the provider said of it later.

    digest: the delivery that tells it, with others, unless it was left out of that.
    """

    delivery: Delivery
    receipts: tuple[Receipt, ...] = ()
    digest: Delivery | None = None

    @property
    def by(self) -> Delivery:
        """The delivery whose message it is: its state, attempts and receipts count."""
        return self.digest or self.delivery

    @property
    def standing(self) -> Standing:
        """What came back from the provider was told to nobody."""
        return _OF_STATES.get(self.by.state, Standing.NOT_TOLD)


@dataclass(frozen=True)
class Happening:
    """One event, whom it was told to, and what is still on its way or was given up."""

    event_id: UUID
    type: str
    subject: str
    time: datetime
    lines: tuple[Line, ...] = ()
    dispatches: tuple[Dispatch, ...] = ()
    letters: tuple[DeadLetter, ...] = ()
    unreported: bool = False
    """Nobody but a partner was told so far, and a channel has not reported yet."""

    @property
    def standing(self) -> Standing:
        """That a partner was posted the event says nothing of the customer."""
        people = [line for line in self.lines if not _is_a_partner_s(line.delivery)]
        if lines := people or (() if self.unreported else self.lines):
            return min((line.standing for line in lines), key=_RANK.__getitem__)
        return Standing.NOT_TOLD if self.letters and not self.dispatches else Standing.NOT_YET


@dataclass(frozen=True)
class Answer:
    """about: who or what was asked for; of an address, its mask. cut: there are older ones, which
    were not looked at."""

    about: str
    at: datetime
    happenings: tuple[Happening, ...]
    cut: bool = False

    @property
    def told(self) -> bool:
        """Of each event, by one channel at least."""
        return bool(self.happenings) and not self._of(*list(Standing)[1:])

    @property
    def words(self) -> str:
        """The answer, in plain words."""
        if not self.happenings:
            return "no, nothing is known"
        every, told = len(self.happenings), len(self._of(Standing.TOLD))
        if told == every:
            return f"yes, told of {_named(self.happenings)}"
        rest = (
            (Standing.NOT_YET, "not yet of"),
            (Standing.UNKNOWN, "nobody knows about"),
            (Standing.NOT_TOLD, "not of"),
        )
        said = [f"{how} {_named(some)}" for standing, how in rest if (some := self._of(standing))]
        if told:
            said.insert(0, f"in part, told of {told} of {every} events")
        elif len(self._of(Standing.UNKNOWN)) < every:
            said.insert(0, "no")
        return "; ".join(said)

    def _of(self, *standings: Standing) -> list[Happening]:
        return [each for each in self.happenings if each.standing in standings]


def told(
    asked: str,
    *,
    event_type: str = "",
    since: datetime | None = None,
    by: str = "",
    reason: str = "",
) -> Answer:
    """What is known of a person, a subject or an address; an order's number will do.

    by, reason: who asks, and why, which is audited: it is personal data that they read.

    event_type: of events of that type alone. since: of those that happened no earlier. Events of
    which nobody was to be told are none.
    """
    term = _term(asked)
    wanted: dict[str, Any] = {"event_type": event_type} if event_type else {}
    if since:
        wanted["event_time__gte"] = since
    if by:
        audit.record("person.told", by=by, reason=reason, target=audit.Person(term))
    deliveries, cut = _deliveries(term, wanted)
    known = {each.event_id for each in deliveries if not _is_a_partner_s(each)}
    silent, more = _silent(term, event_type, since, known)
    happenings = _happenings(deliveries, silent)
    return Answer(
        mask(term) if _may_be_address(term) else term,
        timezone.now(),
        tuple(sorted(happenings, key=lambda each: (each.time, each.event_id))),
        cut or more,
    )


def _is_a_partner_s(delivery: Delivery) -> bool:
    return delivery.recipient.startswith(PARTNER)


def _may_be_address(term: str) -> bool:
    """References and subjects have a slash, and no address has one but a device's token, maybe."""
    return "@" in term or "/" not in term


def _term(asked: str) -> str:
    term = asked.strip()
    number = _NUMBER.match(term)
    return f"order/{int(number[1])}" if number else term


def _deliveries(term: str, wanted: Mapping[str, Any]) -> tuple[list[Delivery], bool]:
    """The latest, by each of the indexes that may know it; True: there are more."""
    looks = [Q(address_hash__in=searched_hashes(term))]
    if not _may_be_address(term):
        looks = [Q(subject=term), Q(recipient=term), Q(recipient__startswith=f"{term}/")]
    found: dict[UUID, Delivery] = {}
    cut = False
    for look in looks:
        rows = list(Delivery.objects.filter(look, **wanted).order_by("-created_at")[: MOST + 1])
        cut = cut or len(rows) > MOST
        found |= {row.pk: row for row in rows[:MOST]}
    return sorted(found.values(), key=lambda row: (row.created_at, row.pk)), cut


def _silent(
    term: str, event_type: str, since: datetime | None, known: set[UUID]
) -> tuple[list[Event], bool]:
    """The subject's events without a delivery that a channel has not reported on: those of which
    there is somebody to tell, or may be."""
    if _may_be_address(term):
        return [], False
    wanted = {"type": event_type, "time__gte": since}
    found = Event.objects.filter(subject=term, **{k: v for k, v in wanted.items() if v})
    rows = list(found.order_by("-time")[: MOST + 1])
    events = [event for event in rows[:MOST] if event.pk not in known]
    done = set(
        Handled.objects.filter(
            event_id__in=[event.pk for event in events], outcome=Handled.Outcome.DONE
        ).values_list("event_id", "consumer")
    )
    silent = [
        event for event in events if _channels_of(event) - {c for e, c in done if e == event.pk}
    ]
    return silent, len(rows) > MOST


def _channels_of(event: Event) -> set[str]:
    """The consumers that were to tell somebody."""
    return {name for name in event.expected if consumers.channel_of(name)}


def _happenings(deliveries: list[Delivery], silent: list[Event]) -> Iterable[Happening]:
    by_event: dict[UUID, list[Delivery]] = defaultdict(list)
    for delivery in deliveries:
        by_event[delivery.event_id].append(delivery)
    digests = _digests(deliveries)
    events = {event.pk for event in silent} | set(by_event) | {each.pk for each in digests.values()}
    lines = _Beside(deliveries, events, digests)
    waited_for = {event.pk for event in silent}
    for event_id, rows in by_event.items():
        first = rows[0]
        happening = lines.happening(
            event_id, first.event_type, first.subject, first.event_time, rows
        )
        yield replace(happening, unreported=event_id in waited_for)
    for event in silent:
        if event.pk not in by_event:
            yield lines.happening(event.pk, event.type, event.subject, event.time, [])


def _digests(deliveries: list[Delivery]) -> dict[UUID, Any]:
    """By delivery, the digest that tells it."""
    items = DigestItem.objects.filter(delivery_id__in=[each.pk for each in deliveries])
    rows = items.select_related("digest").order_by("id")
    generations = {each.pk: each.generation for each in deliveries}
    return {
        item.delivery_id: item.digest
        for item in rows
        if item.generation == generations[item.delivery_id]
    }


class _Beside:
    """What is known beside the deliveries, read in a query for each table."""

    def __init__(
        self, deliveries: list[Delivery], events: set[UUID], digests: Mapping[UUID, Any]
    ) -> None:
        self._windows = {pk: window.pk for pk, window in digests.items()}
        telling = Delivery.objects.filter(event_id__in=set(self._windows.values()))
        self._telling = {delivery.event_id: delivery for delivery in telling}
        self._receipts: dict[UUID, list[Receipt]] = defaultdict(list)
        named = {each.pk for each in (*deliveries, *self._telling.values())}
        for receipt in Receipt.objects.filter(delivery_id__in=named).order_by("occurred_at"):
            self._receipts[receipt.delivery_id].append(receipt)
        self._dispatches: dict[UUID | None, list[Dispatch]] = defaultdict(list)
        ahead = Dispatch.objects.filter(event_id__in=events).defer("body", "attributes")
        for dispatch in ahead.exclude(state=Dispatch.State.PUBLISHED).order_by("available_at"):
            self._dispatches[dispatch.event_id].append(dispatch)
        self._letters: dict[UUID | None, list[DeadLetter]] = defaultdict(list)
        given_up = DeadLetter.objects.open().filter(event_id__in=events)
        for letter in given_up.defer("body", "attributes").order_by("id"):
            self._letters[letter.event_id].append(letter)

    def happening(
        self, event_id: UUID, kind: str, subject: str, time: datetime, rows: list[Delivery]
    ) -> Happening:
        windows = {self._windows[row.pk] for row in rows if row.pk in self._windows}
        about = [event_id, *sorted(windows)]
        return Happening(
            event_id,
            kind,
            subject,
            time,
            tuple(self._line(row) for row in rows),
            tuple(each for one in about for each in self._dispatches[one]),
            tuple(each for one in about for each in self._letters[one]),
        )

    def _line(self, delivery: Delivery) -> Line:
        window = self._windows.get(delivery.pk)
        follows = delivery.reason in (DIGEST, IN_DIGEST, DIGEST_FAILED)
        digest = self._telling.get(window) if window and follows else None
        receipts = self._receipts[(digest or delivery).pk]
        return Line(delivery, tuple(receipts), digest)


def _named(some: Iterable[Happening]) -> str:
    """ "order.created order/17", or how many they are."""
    rows = list(some)
    if len(rows) > NAMED:
        return f"{len(rows)} events"
    return ", ".join(f"{each.type} {each.subject}" for each in rows)
