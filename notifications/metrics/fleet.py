"""Fleet: how all processes together do, asked of our tables and SQS by whoever exports it.

The same functions answer as for the overview (`notifications.lookout`). An answer is shared for
FRESH seconds, and waited for PATIENCE seconds: a scrape must not hang because the database does.
"""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass

from django.db import connections

from notifications.metrics import gauges, table
from notifications.metrics.gauges import Part, Reading
from notifications.outages import DATABASE_AWAY, leave_replica
from notifications.shared_look import SharedLook

FRESH = 5.0
"""Seconds for which an answer is shared."""

PATIENCE = 4.0
"""Seconds that a scrape waits. Prometheus gives up after 10, if it is not told otherwise."""

KEPT = 60.0
"""Seconds for which the last answer is told while a new one takes long. Beyond, it would be a lie:
then what has been answered so far is told, which is SQS's part at least."""

TIME = "time"

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class _Answer:
    readings: tuple[Reading, ...] = ()
    at: float = 0.0


def look() -> tuple[Reading, ...]:
    """Every gauge, some seconds old, and which part could not be had. Never raises."""
    last, in_time = _look.take(PATIENCE)
    is_young = time.monotonic() < last.at + KEPT
    said = last.readings if is_young else tuple(_so_far)
    return (*said, Reading(table.SCRAPE_ERRORS, (TIME,), float(not in_time)))


def forget() -> None:
    """The next look asks (tests, a forked child)."""
    global _so_far
    _so_far = []
    _look.start_anew()


def read() -> Iterator[Reading]:
    """Every gauge now, in some twenty statements. While the database is away, what SQS tells."""
    away = False
    for part in gauges.PARTS:
        trouble = away
        if not away:
            try:
                yield from part()
            except Exception as error:  # noqa: BLE001 - it takes no other part with it
                trouble, away = True, isinstance(error, DATABASE_AWAY)
                _look_into(part, error)
        yield Reading(table.SCRAPE_ERRORS, (gauges.name_of(part),), float(trouble))


def _look_into(part: Part, error: Exception) -> None:
    if isinstance(error, DATABASE_AWAY):
        leave_replica(error)
    elif not isinstance(error, gauges.FORESEEN):
        logger.error("The gauges of %s could not be had", gauges.name_of(part), exc_info=error)


def _ask() -> _Answer:
    global _so_far
    _so_far = so_far = []
    try:
        for reading in read():
            so_far.append(reading)
        return _Answer(tuple(so_far), time.monotonic())
    finally:
        connections.close_all()


_so_far: list[Reading] = []
_look = SharedLook(_ask, nothing=_Answer(), fresh=lambda _: FRESH, name="gauges of the fleet")
os.register_at_fork(after_in_child=forget)
