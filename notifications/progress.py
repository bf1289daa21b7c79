"""Progress: since when a consumer owes a report, which tells how far it is behind.

SQS does not say how old a queue's oldest message is, except to CloudWatch. Our own tables do: the
oldest event that expects the consumer and on which it has not reported. All before it are over, so
the relays remember how far they have looked, and each look begins there, however many events there
are.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from django.db import router, transaction
from django.db.models.functions import Now

from notifications import consumers, topology
from notifications.consumers import Consumer
from notifications.models import Progress
from notifications.models.progress import Look, ProgressQuerySet

LOOK_EVERY = 15.0
"""Seconds between two rounds of the relays."""

A_MOMENT = 0.25
"""Seconds for each consumer in a round."""

TOLD_FOR = timedelta(seconds=60)
"""For which what a relay found is taken for what is: it looks again four times meanwhile."""

CHUNK = 5_000
"""Events of each consumer in one look: some twenty milliseconds."""

MARGIN = timedelta(minutes=5)
"""An event is recorded by its transaction's clock and seen when that commits: it is taken that
none stays open for so long."""

LONGEST = timedelta(seconds=topology.RETENTION)
"""What SQS has kept for longer than that is gone, whoever has not reported."""


@dataclass(frozen=True)
class Oldest:
    """at: when the oldest event was recorded on which the consumer has not reported; None: there
    is none. sure: False where the look was broken off: it is not older than `at`."""

    at: datetime | None
    event_id: UUID | None = None
    sure: bool = True


def told(among: Iterable[Consumer], *, go_on: Callable[[], bool]) -> dict[str, Oldest]:
    """By consumer, what a relay found of late; where none did, what is found now.

    One statement while the relays are at work, whatever there is in the tables.
    """
    asked = {each.name: each for each in among}
    rows = Progress.objects.using(router.db_for_write(Progress))
    kept = rows.known(list(asked), longest=LONGEST, fresh=TOLD_FOR)
    found = {
        name: Oldest(it.owes_since, it.owes_event_id, it.is_sure is not False)
        for name, it in kept.items()
        if it.is_fresh
    }
    left = {name: it.since for name, it in kept.items() if not it.is_fresh}
    return {**found, **_walk(rows, asked, left, go_on)}


def oldest(
    among: Iterable[Consumer], *, go_on: Callable[[], bool], using: str | None = None
) -> dict[str, Oldest]:
    """By consumer, as of now. go_on: asked between looks of some milliseconds for each consumer.
    Remembers how far it came.

    Of a consumer that keeps no inbox nobody knows what it has done: ask no such question.
    """
    asked = {each.name: each for each in among}
    rows = Progress.objects.using(using or router.db_for_write(Progress))
    kept = rows.known(list(asked), longest=LONGEST, fresh=TOLD_FOR)
    return _walk(rows, asked, {name: it.since for name, it in kept.items()}, go_on)


def remember(*, using: str, go_on: Callable[[], bool]) -> int:
    """A relay's chore: look how far each consumer is, and tell. How many have something to report
    on.

    For some moments: the first rounds, over the events of two weeks, must not hold up other chores.
    """
    among = known()
    in_time = for_seconds(A_MOMENT * len(among))
    found = oldest(among, go_on=lambda: in_time() and go_on(), using=using)
    rows = Progress.objects.using(using)
    with transaction.atomic(using=using):
        for name, it in sorted(found.items()):
            rows.filter(pk=name).update(
                owes_since=it.at, owes_event_id=it.event_id, is_sure=it.sure, told_at=Now()
            )
    return sum(it.at is not None for it in found.values())


def known() -> list[Consumer]:
    """Those whose reports are on record."""
    return [each for each in consumers.all_consumers() if each.channel or each.keeps_inbox]


def for_seconds(longest: float) -> Callable[[], bool]:
    """A `go_on` that ends so many seconds from now."""
    deadline = time.monotonic() + longest
    return lambda: time.monotonic() < deadline


def _walk(
    rows: ProgressQuerySet,
    asked: Mapping[str, Consumer],
    sinces: Mapping[str, datetime],
    go_on: Callable[[], bool],
) -> dict[str, Oldest]:
    """From there on, for all at once, until each one's oldest is found or there is no more time."""
    found: dict[str, Oldest] = {}
    channels = {name: consumer.channel for name, consumer in asked.items()}
    while sinces:
        looks = rows.look(sinces, channels=channels, limit=CHUNK)
        come = {name: _come_to(look) for name, look in looks.items()}
        rows.advance({name: min(come[name], look.now - MARGIN) for name, look in looks.items()})
        sinces = {}
        for name, look in looks.items():
            if look.silent:
                found[name] = Oldest(look.silent, look.event_id)
            elif look.seen < CHUNK:
                found[name] = Oldest(None)
            else:
                sinces[name] = come[name]
        if sinces and not go_on():
            return {**found, **{name: Oldest(at, sure=False) for name, at in sinces.items()}}
    return found


def _come_to(look: Look) -> datetime:
    return look.silent or (look.last if look.seen == CHUNK and look.last else look.now)
