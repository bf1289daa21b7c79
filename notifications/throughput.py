"""Throughput: what was done and what failed, minute by minute, added up by the relays.

The charts read a few thousand rows of sums instead of millions of attempts. A minute is computed
as a whole from the rows as they are, and once more when it is older: what ended late is in it, and
two relays at once do no harm. What each figure counts: docs/console/overview.md.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import Max, Q
from django.utils import timezone

from notifications import consumers, minutes, topology
from notifications.minutes import GRACE, MINUTE
from notifications.models import Throughput
from notifications.models.throughput import Bucket, Counts

CATCH_UP = timedelta(days=1)
"""For which minutes are computed that nobody computed in time: what the charts show."""

SOON, LAST = timedelta(minutes=2), timedelta(minutes=15)
"""The ages at which a minute is computed again. By the last, whoever began has ended, or has lost
the lease and been found out."""

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
QUARTER = timedelta(minutes=15)


def roll_up(*, using: str, go_on: Callable[[], bool]) -> int:
    """A relay's chore: compute the minutes that are due, the latest first; how many."""
    rows = Throughput.objects.using(using)
    channels = {each.name: each.channel for each in consumers.all_consumers()}
    queues = {queue.name: queue.consumer for queue in topology.current().queues}

    def compute(since: datetime, until: datetime) -> None:
        rows.compute(since, until, channels=channels, queues=queues)

    due = rows.due(CATCH_UP, _ages())
    return minutes.roll_up(due, compute, lock="notifications/throughput", using=using, go_on=go_on)


@dataclass(frozen=True)
class Series:
    """Sums in `width`, without a hole from `since` to before `until`.

    computed_at: when the latest of them was; None: never. A bucket with `known` 0 is one of which
    nobody knows anything.
    """

    since: datetime
    until: datetime
    width: timedelta
    buckets: tuple[Bucket, ...]
    computed_at: datetime | None

    @property
    def total(self) -> Counts:
        return added(bucket.counts for bucket in self.buckets)


@dataclass(frozen=True)
class Standing:
    """How far the relays have come.

    until: the end of the latest minute that was computed, unless that is too long ago: so a chart
    does not end in a hole for the seconds until the last minute is added up. computed_at: when one
    was computed last, which a relay does every minute; None: never.
    """

    until: datetime
    computed_at: datetime | None


def standing() -> Standing:
    """Whoever asks for several figures asks for it once and hands it to each."""
    now = timezone.now()
    over = now.replace(second=0, microsecond=0)
    found = Throughput.objects.filter(minute__gte=now - CATCH_UP).aggregate(
        minute=Max("minute", filter=Q(minute__gte=over - SOON)), computed_at=Max("computed_at")
    )
    until = min(found["minute"] + MINUTE, over) if found["minute"] else over
    return Standing(until, found["computed_at"])


def last_hour(consumer: str = "", *, at: Standing | None = None) -> Series:
    """The last 60 minutes that are over, each by itself; of one consumer, or of all."""
    return _series(HOUR, MINUTE, consumer, at or standing())


def last_day(consumer: str = "", *, at: Standing | None = None) -> Series:
    """The last day by the quarter of an hour, the one under way with it."""
    return _series(DAY, QUARTER, consumer, at or standing())


def by_consumer(span: timedelta, *, at: Standing | None = None) -> dict[str, Counts]:
    """What each has done within the last `span` of minutes that are over."""
    until = (at or standing()).until
    return Throughput.objects.totals(until - span, until)


def rates(span: timedelta, *, at: Standing | None = None) -> dict[str, float]:
    """Events a second that each was done with in the last `span`, by consumer; as `pace.rates`,
    without reading every outcome of that time, and up to the latest minute only."""
    until = (at or standing()).until
    return Throughput.objects.rates(until - span, until)


def added(counts: Iterable[Counts]) -> Counts:
    return Counts(*map(sum, zip(*counts, strict=True)))


def _ages() -> tuple[timedelta, ...]:
    longest = max((each.max_seconds for each in consumers.all_consumers()), default=0)
    return GRACE, SOON, max(LAST, timedelta(seconds=3 * longest))


def _series(span: timedelta, width: timedelta, consumer: str, at: Standing) -> Series:
    until = at.until
    first = until - span
    if width > MINUTE:
        first = _floor(until - MINUTE, width) - span + width
    found = {
        bucket.start: bucket
        for bucket in Throughput.objects.series(first, until, width, consumer=consumer)
    }
    starts = (first + number * width for number in range(span // width))
    buckets = tuple(found.get(start, Bucket(start, 0, Counts())) for start in starts)
    return Series(first, until, width, buckets, at.computed_at)


def _floor(moment: datetime, width: timedelta) -> datetime:
    seconds = width.total_seconds()
    return moment - timedelta(seconds=moment.timestamp() % seconds)
