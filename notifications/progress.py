"""Progress: since when a consumer owes a report, which tells how far it is behind.

SQS does not say how old a queue's oldest message is, except to CloudWatch. Our own tables do: the
oldest event that expects the consumer and on which it has not reported. All before it are over, so
the relays remember how far they have looked, and each look begins there, however many events there
are.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from django.db import router

from notifications import consumers, topology
from notifications.consumers import Consumer
from notifications.models import Progress

LOOK_EVERY = 15.0
"""Seconds between two rounds of the relays."""

A_MOMENT = 0.25
"""Seconds for one consumer in a round."""

CHUNK = 5_000
"""Events in one look: some twenty milliseconds."""

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


def oldest(consumer: Consumer, *, go_on: Callable[[], bool], using: str | None = None) -> Oldest:
    """go_on: asked between looks of some milliseconds each. Remembers how far it came.

    Of a consumer that keeps no inbox nobody knows what it has done: ask no such question.
    """
    rows = Progress.objects.using(using or router.db_for_write(Progress))
    since = rows.since(consumer.name, LONGEST)
    while True:
        look = rows.look(consumer.name, channel=consumer.channel, since=since, limit=CHUNK)
        since = look.silent or (look.last if look.seen == CHUNK and look.last else look.now)
        rows.advance(consumer.name, min(since, look.now - MARGIN))
        if look.silent:
            return Oldest(look.silent, look.event_id)
        if look.seen < CHUNK:
            return Oldest(None)
        if not go_on():
            return Oldest(since, sure=False)


def remember(*, using: str, go_on: Callable[[], bool]) -> int:
    """A relay's chore: look how far each consumer is. How many have something to report on.

    A moment for each: the first round, over the events of two weeks, must not hold up the others.
    """
    owing = 0
    for consumer in known():
        in_time = for_seconds(A_MOMENT)
        found = oldest(consumer, go_on=lambda: in_time() and go_on(), using=using)  # noqa: B023
        owing += found.at is not None
        if not go_on():
            break
    return owing


def known() -> list[Consumer]:
    """Those whose reports are on record."""
    return [each for each in consumers.all_consumers() if each.channel or each.keeps_inbox]


def for_seconds(longest: float) -> Callable[[], bool]:
    """A `go_on` that ends so many seconds from now."""
    deadline = time.monotonic() + longest
    return lambda: time.monotonic() < deadline
