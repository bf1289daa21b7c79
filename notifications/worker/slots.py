"""Slots: how many messages a worker may hold, reserved before they are received."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

HOLD_SECONDS = 0.25
"""A worker holds what its pool finishes in this time, beyond what `prefetch` grants anyway:
enough to keep a fast task fed over a slow network, little enough to age no message."""

MOST = 400
"""Messages held at most, however fast they go: they live in memory, and come back after a crash."""

_RATE_WINDOW = 0.5  # seconds over which the pace is measured


class Slots:
    """A window of messages held or being received, shared by every queue of the process.

    It starts at `prefetch` (concurrency times Celery's prefetch multiplier), or at one batch if
    that is more, and opens and closes with the pace at which messages are finished.
    """

    def __init__(self, prefetch: int, on_free: Callable[[], None]) -> None:
        self._lock = threading.Lock()
        self._on_free = on_free
        self._prefetch = prefetch
        self._used = 0
        self._wanted = 0
        self._finished = 0
        self._since = time.monotonic()
        self.capacity = prefetch

    def resize(self, prefetch: int) -> None:
        """The pool has grown or shrunk."""
        with self._lock:
            self._prefetch = prefetch
            self.capacity = max(self.capacity, prefetch)

    def reserve(self, at_least: int, at_most: int) -> int:
        """Take up to `at_most` slots, or none when fewer than `at_least` are free.

        Refused once, `on_free` is called as soon as that many are, or half of the window.
        """
        with self._lock:
            free = self.capacity - self._used
            if free < at_least:
                self._wanted = min(self._wanted, at_least) if self._wanted else at_least
                return 0
            granted = min(free, at_most)
            self._used += granted
            return granted

    def release(self, count: int = 1, *, finished: bool = False) -> None:
        """Give slots back: unused ones, or those of messages that are `finished`."""
        if not count:
            return
        with self._lock:
            self._used -= count
            if finished:
                self._finished += count
                self._measure()
            free = self.capacity - self._used
            # Half of the window, too: it may have closed below what was wanted of it.
            wake = bool(self._wanted) and (free >= self._wanted or 2 * free >= self.capacity)
            if wake:
                self._wanted = 0
        if wake:
            self._on_free()

    @property
    def used(self) -> int:
        return self._used

    def _measure(self) -> None:
        elapsed = time.monotonic() - self._since
        if elapsed < _RATE_WINDOW:
            return
        pace = self._finished / elapsed
        self.capacity = max(self._prefetch, min(MOST, int(pace * HOLD_SECONDS)))
        self._finished = 0
        self._since += elapsed
