"""Unknown events: well-formed, of a type or version that this worker does not know yet."""

from __future__ import annotations

import logging
import time

from notifications import events
from notifications.exceptions import UnknownEvent
from notifications.worker.received import Received

logger = logging.getLogger(__name__)

UNKNOWN_HELD = events.UNKNOWN_HELD.total_seconds()
"""Seconds for which an event of unknown type waits: a rolling deploy may yet bring its model."""

FIRST_WAIT, LONGEST_WAIT = 30, 300
"""Seconds between looks; growing, so that the looks stay far below the queue's maxReceiveCount."""


MOST_SAID = 1000
"""Types that are remembered as said; publishers that are not ours may invent any number."""


class UnknownEvents:
    """held: seconds, from when it was sent, for which such an event waits."""

    def __init__(self, held: float) -> None:
        self._held = held
        self._said: set[str] = set()

    def wait(self, received: Received, error: UnknownEvent) -> float:
        """Seconds until it is looked at again; 0 when it has waited long enough."""
        self._say_once(error)
        left = received.sent_at + self._held - time.time()
        doubled = FIRST_WAIT * 2.0 ** min(received.receive_count - 1, 10)
        return max(0.0, min(doubled, LONGEST_WAIT, left))

    def _say_once(self, error: UnknownEvent) -> None:
        """Once for each type, or seldom: its messages come by the thousand, again and again."""
        if error.message not in self._said:
            if len(self._said) >= MOST_SAID:
                self._said.clear()
            self._said.add(error.message)
            logger.warning(
                "Holding an event for up to %d min: %s; is this worker older than the event?",
                self._held // 60,
                error.message,
            )
