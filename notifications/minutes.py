"""Minutes: those that are due are computed from the rows, a few in one transaction.

For what is added up so that pages need not count (`notifications.throughput`,
`notifications.objectives`). A minute is computed as a whole, and once more when it is older; so
two relays at once, one that died half-way and what ends late need no care.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from datetime import datetime, timedelta

from django.db import transaction

from notifications import progress
from notifications.advisory import lock_for_transaction
from notifications.models.due_minutes import MINUTE

__all__ = ["EVERY", "GRACE", "MINUTE", "PATIENCE", "STEP", "roll_up"]

EVERY = 15.0
"""Seconds between two looks for minutes that are over."""

GRACE = timedelta(seconds=3)
"""After its end, in which a transaction of the minute commits."""

STEP = 5
"""Minutes in one statement: at 300 messages a second, half a second."""

PATIENCE = 3.0
"""Seconds of one run, so that dead letters are not kept waiting while a day is caught up with."""

Compute = Callable[[datetime, datetime], None]


def roll_up(
    due: Iterable[datetime],
    compute: Compute,
    *,
    lock: str,
    using: str,
    go_on: Callable[[], bool],
) -> int:
    """Compute these minutes, given the latest first; how many were, in the time of one run.

    compute: each whole minute from the first moment to before the second, in a transaction that
    holds the lock. Another relay that holds it is left to it.
    """
    in_time = progress.for_seconds(PATIENCE)
    computed = 0
    for since, until in _spans(due):
        if not (in_time() and go_on()):
            break
        with transaction.atomic(using=using):
            if not lock_for_transaction(lock, using=using):
                break
            compute(since, until)
        computed += (until - since) // MINUTE
    return computed


def _spans(minutes: Iterable[datetime]) -> Iterator[tuple[datetime, datetime]]:
    """Minutes in a row together, STEP at most, as they come: the latest first."""
    since: datetime | None = None
    until: datetime | None = None
    for minute in minutes:
        if since is None or until is None:
            since, until = minute, minute + MINUTE
        elif minute == since - MINUTE and until - minute <= STEP * MINUTE:
            since = minute
        else:
            yield since, until
            since, until = minute, minute + MINUTE
    if since is not None and until is not None:
        yield since, until
