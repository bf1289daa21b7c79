"""Polled: one queue, and how its polling goes."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Any

from notifications.worker.queues import PolledQueue


@dataclass(slots=True, eq=False)
class Polled:
    """Changed under the poller's lock only. Times are monotonic.

    before: the queue that goes first; this one is polled while that is not busy.
    plenty: the gate had as much as was asked for, so that several receives at once make sense.
    not_before: when to ask the gate again. held_by: why the queue is not polled now.
    seen_to_at: when it last had room for another poll, and got it or a reason for none.
    """

    queue: PolledQueue
    before: Polled | None = None
    under_way: int = 0
    busy: bool = False
    plenty: bool = True
    not_before: float = 0.0
    held_by: str = ""
    began_at: float | None = None
    seen_to_at: float = field(default_factory=time.monotonic)
    failures: int = 0
    said: str = ""

    def put_off(self, seconds: float, why: str) -> None:
        """Leave it alone for so long."""
        self.not_before = time.monotonic() + seconds
        self.held_by = why

    def note_answer(self, *, busy: bool) -> int:
        """SQS has answered; how often it had failed before."""
        self.busy = busy
        failures, self.failures, self.said = self.failures, 0, ""
        return failures

    def note_failure(self, reason: str) -> bool:
        """A poll has failed; whether in another way than the one before."""
        self.busy = False
        self.failures += 1
        said, self.said = self.said, reason
        return reason != said

    def report(self) -> dict[str, Any]:
        """In the words of `WorkerProcess.queues`."""
        began = self.began_at
        return {
            "name": self.queue.name,
            "last_poll": None if began is None else round(time.monotonic() - began, 1),
            "under_way": self.under_way,
            "held_by": "" if self.under_way else self.held_by,
        }
