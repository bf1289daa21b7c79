"""Hiding: for how long a message that is to come again stays hidden in its queue.

On a standard queue a long wait, or a paused event type, is a new message later. On a FIFO queue
that one would stand behind its own successors, so the message itself is hidden for as long, and
holds back its subject. So is one of any queue that cannot be put off just now.
"""

from __future__ import annotations

LONGEST_WAIT = 11 * 3600
"""Seconds. SQS hides a message for twelve hours from its receipt, and the task has run since."""

WORN_WAIT, PAUSED_WAIT, LONGEST_LOOK = 60, 30, 6 * 3600
"""Seconds: the first wait of a message that SQS has received too often, the first look at a
paused one, and the longest of either. Both double, so that the receives which are left before the
queue's `maxReceiveCount` last for days."""


def wait(seconds: float, *, worn: int = 0) -> float:
    """Seconds to hide a message that is to come again in `seconds`. worn: receives too many."""
    least = _doubled(WORN_WAIT, worn - 1) if worn > 0 else 0.0
    return min(LONGEST_WAIT, max(seconds, least))


def look_at_paused(receives: int) -> float:
    """Seconds until a message of a paused type is looked at again, about as long as it has waited:
    so long after the end of the pause, at most, it comes."""
    return _doubled(PAUSED_WAIT, receives - 1)


def _doubled(first: float, times: int) -> float:
    return min(LONGEST_LOOK, first * 2.0 ** min(max(times, 0), 20))
