"""Depths: what SQS last said lies on the queues, shared by all who look through this process.

SQS costs a call for each queue, and may be slow or away. So who looks waits for a moment at most,
and is given what is there, with its age; a thread goes on asking, and the next look has it.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime

from django.utils import timezone

from notifications import queue_counts, topology
from notifications.queue_counts import QueueCounts
from notifications.shared_look import SharedLook

FRESH = 3.0
"""Seconds for which an answer is shared before SQS is asked again."""

PATIENCE = 1.5
"""Seconds that a page waits for SQS. It answers within some tens of milliseconds, or not soon."""


@dataclass(frozen=True)
class Depths:
    """at: when SQS was asked; None: it has not answered yet. stale: it is being asked anew, and
    takes longer than anybody waits."""

    found: QueueCounts = field(default_factory=lambda: QueueCounts({}))
    at: datetime | None = None
    stale: bool = False


def look(*, patience: float = PATIENCE) -> Depths:
    """What lies on every queue, some seconds old at most, or what was last known. Never raises."""
    global _names
    names = tuple(queue.physical for queue in topology.current().queues)
    if names != _names:  # another topology: tests, a shop that registers late
        _names = names
        forget()
    found, in_time = _look.take(patience)
    return found if in_time else replace(found, stale=True)


def forget() -> None:
    """The next look asks SQS (tests)."""
    _look.start_anew()


def _ask() -> Depths:
    """In a thread that never touches the database."""
    at = timezone.now()
    return Depths(queue_counts.of(topology.current().queues), at)


_names: tuple[str, ...] = ()
_look = SharedLook(_ask, nothing=Depths(), fresh=lambda _: FRESH, name="depths of the queues")
