"""Poller: decides when to receive from which queue, and does it in threads.

An idle queue has one long poll open. A queue that fills its batches is busy, and gets
several short polls at once. A FIFO queue gives one message at a time. A bulk queue has its
turn only while the queue before it is not busy. Slots are reserved before a receive, so that
no queue can bring more messages than the process may hold, whatever the others have under way.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from notifications.worker import broker
from notifications.worker.backoff import back_off
from notifications.worker.counts import Counts
from notifications.worker.queues import PolledQueue
from notifications.worker.slots import Slots
from notifications.worker.threads import Threads

logger = logging.getLogger(__name__)

FIRST_BACK_OFF, LONGEST_BACK_OFF = 0.5, 30.0
_MOST_THREADS = 128

Take = Callable[[PolledQueue, list[dict[str, Any]]], None]


@dataclass(slots=True, eq=False)
class _Polled:
    """One queue and how its polling goes. Changed under the poller's lock only."""

    queue: PolledQueue
    before: _Polled | None = None
    under_way: int = 0
    busy: bool = False
    failures: int = 0
    said: str = ""


class Poller:
    """take: called in a polling thread with the messages of one receive, slots reserved for each;
    it answers for these slots, even when it raises.
    wait_seconds: the long poll of an idle queue, and so the longest that a shutdown takes.
    receives: receives under way at once for a busy queue.
    """

    def __init__(
        self,
        slots: Slots,
        take: Take,
        counts: Counts,
        *,
        wait_seconds: int = broker.LONGEST_WAIT,
        receives: int = 4,
    ) -> None:
        self._slots = slots
        self._take = take
        self._counts = counts
        self._wait_seconds = wait_seconds
        self._receives = receives
        self._lock = threading.RLock()
        self._polled: list[_Polled] = []
        self._turn = 0
        self.paused = False
        self._closed = threading.Event()
        self._threads = Threads("receive", _MOST_THREADS)

    def watch(self, queues: tuple[PolledQueue, ...]) -> None:
        """Receive from these; each only while the one before it is not busy."""
        with self._lock:
            before = None
            for queue in queues:
                before = _Polled(queue, before)
                self._polled.append(before)
        self.advance()

    def leave(self, consumer: str) -> None:
        """Start no more receives for this consumer. Those under way still bring what they find."""
        with self._lock:
            self._polled = [each for each in self._polled if each.queue.consumer != consumer]

    def pause(self) -> None:
        """Start no receive until `resume()`. What open polls bring is still handed over."""
        self.paused = True

    def resume(self) -> None:
        self.paused = False
        self.advance()

    def advance(self) -> None:
        """Start every receive that may be started now, the queues taking turns."""
        with self._lock:
            turn = self._turn % max(1, len(self._polled))
            for polled in self._polled[turn:] + self._polled[:turn]:
                while self._start(polled):
                    self._turn = self._polled.index(polled) + 1

    def close(self) -> None:
        """Start nothing more, and end each thread with its poll."""
        self._closed.set()
        with self._lock:
            self._polled = []
        self._threads.close()

    def wait(self, seconds: float) -> bool:
        """Wait for open polls. False when some were still open after `seconds`."""
        return self._threads.wait_until_idle(seconds)

    def _start(self, polled: _Polled) -> bool:
        """Start one receive, if the queue may have another and there are slots for it."""
        if self.paused or self._closed.is_set():
            return False
        if polled.before is not None and polled.before.busy:
            return False
        if polled.under_way >= (self._receives if polled.busy else 1):
            return False
        if polled.queue.fifo:
            # SQS holds a group back only from the next receive on: one that brings two of a
            # group has them run side by side.
            granted = self._slots.reserve(1, 1)
            wait = 0 if polled.busy else self._wait_seconds
        elif polled.busy:
            full = min(broker.BATCH, max(1, self._slots.capacity // 2))
            granted, wait = self._slots.reserve(full, broker.BATCH), 0
        else:
            granted, wait = self._slots.reserve(1, self._idle_share()), self._wait_seconds
        if not granted:
            return False
        polled.under_way += 1
        self._threads.submit(lambda: self._receive(polled, granted, wait))
        return True

    def _idle_share(self) -> int:
        """Slots that one idle queue may tie up: all of them together no more than half."""
        share = self._slots.capacity // (2 * max(1, len(self._polled)))
        return min(broker.BATCH, max(1, share))

    def _receive(self, polled: _Polled, granted: int, wait: int) -> None:
        """One receive. Whatever it raises, the queue is polled again."""
        try:
            self._bring(polled, granted, wait)
        finally:
            with self._lock:
                polled.under_way -= 1
            self.advance()

    def _bring(self, polled: _Polled, granted: int, wait: int) -> None:
        try:
            messages = broker.receive(polled.queue, granted, wait)
        except Exception as error:  # noqa: BLE001 - what nobody foresaw is backed off, too
            self._slots.release(granted)
            self._failed(polled, error, foreseen=isinstance(error, broker.FAILURES))
            return
        self._counts.add("received", len(messages))
        self._slots.release(granted - len(messages))
        try:
            if messages:
                self._take(polled.queue, messages)
        except Exception as error:  # noqa: BLE001 - a bug of ours must not end consumption
            self._failed(polled, error, foreseen=False)
        else:
            self._received(polled, full=len(messages) == granted)

    def _received(self, polled: _Polled, *, full: bool) -> None:
        with self._lock:
            polled.busy = full
            failures, polled.failures, polled.said = polled.failures, 0, ""
        if failures:
            logger.warning(
                "Receiving from %s again, after %d failures", polled.queue.physical, failures
            )

    def _failed(self, polled: _Polled, error: Exception, *, foreseen: bool) -> None:
        """Say so once for each kind of failure, and leave the queue alone for a while."""
        self._counts.add("receive_failed")
        reason = broker.describe(error)
        with self._lock:
            polled.busy = False
            polled.failures += 1
            failures, said, polled.said = polled.failures, polled.said, reason
        if reason != said:
            logger.error(
                "Cannot receive from %s: %s",
                polled.queue.physical,
                reason,
                exc_info=None if foreseen else error,
            )
        self._closed.wait(back_off(failures, FIRST_BACK_OFF, LONGEST_BACK_OFF))
