"""Filters: how an operator says which rows are meant, in words that a job's row can keep."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from django.utils import timezone
from django.utils.dateparse import parse_date, parse_datetime

_SPAN = re.compile(r"([1-9]\d{0,5})([smhd])\Z")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
_FARTHEST = timedelta(days=1)
"""More than any zone's clock is before or behind UTC."""


def moment(text: str, *, now: datetime | None = None) -> datetime:
    """A time as an operator gives it: "2026-11-20T14:00", "2026-11-20", or "90m", "2h", "3d" ago.

    Without an offset it is in the current time zone. Raises ValueError, also for one that the
    clock of another zone could not show.
    """
    try:
        found = _read(text, now or timezone.now())
        at = found.astimezone(UTC)
        at - _FARTHEST, at + _FARTHEST
    except OverflowError:
        raise ValueError(f"{text!r} is farther off than a calendar goes") from None
    return found


def _read(text: str, now: datetime) -> datetime:
    if span := _SPAN.match(text):
        return now - timedelta(**{_UNITS[span[2]]: int(span[1])})
    found = parse_datetime(text)
    if found is None and (day := parse_date(text)):
        found = datetime(day.year, day.month, day.day)  # noqa: DTZ001 - made aware below
    if found is None:
        raise ValueError(f"{text!r} is no time: give 2026-11-20T14:00, or 90m, 2h, 3d (ago)")
    return timezone.make_aware(found) if timezone.is_naive(found) else found


def moments(wanted: Mapping[str, Any]) -> dict[str, datetime]:
    """`since` (included) and `until` (not), as far as they are given."""
    return {name: moment(wanted[name]) for name in ("since", "until") if wanted.get(name)}


def between(column: str, wanted: Mapping[str, Any]) -> dict[str, datetime]:
    """The same as lookups on a column."""
    bounds = {"since": f"{column}__gte", "until": f"{column}__lt"}
    return {bounds[name]: at for name, at in moments(wanted).items()}
