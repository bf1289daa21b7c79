"""Neighbours: how others of its consumer and type fare while a message is called off.

A statement that PostgreSQL calls off (statement_timeout, lock_timeout, …) may be the message's own
trouble: a query that this one order makes too long. Or everybody's: the database is slow, a table
is locked. Then no message is to be blamed, for all would be given up before the database is well.
Whose it is, the others say that ended in this process at the same time: if more of them were done
than were called off, it is the message's own.
"""

from __future__ import annotations

import time
from collections import deque
from typing import NamedTuple
from uuid import UUID

from notifications.envelope import Envelope

BEFORE = 10.0
"""Seconds before it began in which a neighbour that ended still counts: where one runs at a time,
none ends beside another."""

KEPT = 1000
"""Ends that are remembered, of all consumers."""


class _End(NamedTuple):
    at: float
    consumer: str
    event_type: str
    event: UUID
    well: bool


_ends: deque[_End] = deque(maxlen=KEPT)


def note(consumer: str, envelope: Envelope, *, well: bool) -> None:
    """Its task has ended just now: it is done (`well`), or a statement of it was called off."""
    _ends.append(_End(time.monotonic(), consumer, envelope.type, envelope.id, well))


def fare_well(consumer: str, envelope: Envelope, *, began: float) -> bool:
    """Whether most of them do, since shortly before it `began` (monotonic). Without any: no."""
    since = began - BEFORE
    alike = (consumer, envelope.type)
    latest = {
        end.event: end.well
        for end in _ends.copy()
        if (end.consumer, end.event_type) == alike and end.event != envelope.id and end.at >= since
    }
    done = sum(latest.values())
    return done > len(latest) - done
