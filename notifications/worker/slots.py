"""Slots: how many messages a worker may hold, reserved before they are received."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable

HOLD_SECONDS = 0.25
"""A worker holds what its pool finishes in this time, beyond what `prefetch` grants anyway:
enough to keep a fast task fed over a slow network, little enough to age no message."""

MOST = 400
"""Messages held at most, however fast they go: they live in memory, and come back after a crash."""

_RATE_WINDOW = 0.5  # seconds over which the pace is measured


class Slots:
    """A window of messages held or being received, shared by every consumer of the process.

    It starts at `prefetch` (concurrency times Celery's prefetch multiplier), or at one batch if
    that is more, and opens and closes with the pace at which messages are finished. Of several
    consumers none has more than half of it: one whose provider hangs must not hold every slot,
    or the others would not even be received. `prefetch`, `capacity`: its least and its size now.
    """

    def __init__(self, prefetch: int, on_free: Callable[[], None]) -> None:
        self._lock = threading.Lock()
        self._on_free = on_free
        self.prefetch = prefetch
        self._consumers = 1
        self._used: Counter[str] = Counter()
        self._wanted: dict[str, int] = {}
        self._shut: set[str] = set()
        self._finished = 0
        self._since = time.monotonic()
        self.capacity = prefetch

    def resize(self, prefetch: int) -> None:
        """The pool has grown or shrunk."""
        with self._lock:
            self.prefetch = prefetch
            self.capacity = max(self.capacity, prefetch)

    def divide(self, consumers: int) -> None:
        """So many consumers share the window from now on."""
        with self._lock:
            self._consumers = consumers

    @property
    def share(self) -> int:
        """Slots that one consumer may have."""
        return self.capacity if self._consumers <= 1 else max(1, self.capacity // 2)

    @property
    def used(self) -> int:
        with self._lock:
            return self._used.total()

    def reserve(self, consumer: str, at_least: int, at_most: int) -> int:
        """Take up to `at_most` slots, or none when `consumer` may not have `at_least`.

        Refused once, `on_free` is called as soon as it may, or may have half of its share.
        """
        with self._lock:
            room = self._room(consumer)
            if room < at_least:
                self._wanted[consumer] = min(self._wanted.get(consumer, at_least), at_least)
                return 0
            granted = min(room, at_most)
            self._used[consumer] += granted
            return granted

    def release(self, consumer: str, count: int = 1, *, finished: bool = False) -> None:
        """Give slots back: unused ones, or those of messages that are `finished`."""
        if not count:
            return
        with self._lock:
            self._used[consumer] -= count
            if finished:
                self._shut.discard(consumer)
                self._finished += count
                self._measure()
            # Half of its share, too: the window may have closed below what was wanted of it.
            satisfied = [
                name
                for name, wanted in self._wanted.items()
                if (room := self._room(name)) >= wanted or 2 * room >= self.share
            ]
            for name in satisfied:
                del self._wanted[name]
        if satisfied:
            self._on_free()

    def shut(self, consumer: str) -> None:
        """No more slots for this consumer until one of its messages is finished."""
        with self._lock:
            self._shut.add(consumer)

    def reopen(self, consumer: str) -> None:
        with self._lock:
            self._shut.discard(consumer)

    def _room(self, consumer: str) -> int:
        if consumer in self._shut:
            return 0
        return min(self.capacity - self._used.total(), self.share - self._used[consumer])

    def _measure(self) -> None:
        elapsed = time.monotonic() - self._since
        if elapsed < _RATE_WINDOW:
            return
        pace = self._finished / elapsed
        self.capacity = max(self.prefetch, min(MOST, int(pace * HOLD_SECONDS)))
        self._finished = 0
        self._since += elapsed
