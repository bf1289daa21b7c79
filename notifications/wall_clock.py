"""Wall clocks: what the time of the day is where somebody lives, and when it will be another.

Clocks are put forward and back. A time that is shown twice comes twice, and one that is jumped
over comes at the jump.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

_TIME = re.compile(r"([01]\d|2[0-3]):([0-5]\d)\Z")


def time_of_day(words: str) -> time:
    """ "21:00" as a time. Raises ImproperlyConfigured."""
    match = _TIME.match(words)
    if match is None:
        raise ImproperlyConfigured(f'{words!r} is no time of the day: give it as "08:00".')
    return time(int(match[1]), int(match[2]))


def zone_of(name: str) -> ZoneInfo:
    """The IANA zone of that name; the shop's own for an unknown or an empty one."""
    try:
        return ZoneInfo(name or settings.TIME_ZONE)
    except (ZoneInfoNotFoundError, ValueError, OSError):  # a directory's name is an OSError
        return ZoneInfo(settings.TIME_ZONE)


def is_between(now: datetime, begin: time, end: time, zone: ZoneInfo) -> bool:
    """Whether clocks there show `begin`, or later, and not yet `end`; if need be past midnight."""
    shown = now.astimezone(zone).time()
    return begin <= shown < end if begin < end else shown >= begin or shown < end


def next_at(now: datetime, shown: time, zone: ZoneInfo) -> datetime:
    """The first moment after `now` at which clocks there show that time, or jump over it (UTC)."""
    today = now.astimezone(zone).date()
    for days in range(3):
        wall = datetime.combine(today + timedelta(days=days), shown)
        for moment in _moments(wall, zone):
            if moment > now:
                return moment
    raise AssertionError(f"{zone} does not show {shown} for days")  # no clock jumps that far


def _moments(wall: datetime, zone: ZoneInfo) -> Iterator[datetime]:
    """When clocks there show it: once, or twice, or at the jump over it. Earliest first."""
    read = (wall.replace(tzinfo=zone, fold=fold).astimezone(UTC) for fold in (0, 1))
    first, last = sorted(read)
    if first == last:
        yield first
    elif _shown(first, zone) == wall:
        yield from (first, last)
    else:
        yield _jump(first, last, wall, zone)


def _jump(before: datetime, after: datetime, wall: datetime, zone: ZoneInfo) -> datetime:
    """The first second from which clocks there show more than `wall`."""
    while after - before > timedelta(seconds=1):
        middle = before + timedelta(seconds=(after - before) // timedelta(seconds=2))
        if _shown(middle, zone) < wall:
            before = middle
        else:
            after = middle
    return after


def _shown(moment: datetime, zone: ZoneInfo) -> datetime:
    return moment.astimezone(zone).replace(tzinfo=None)
