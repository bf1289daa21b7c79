"""Glance: what this process last saw in the database, read again at most once a second."""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable
from typing import Generic, TypeVar

from django.db import Error

OLDEST = 1.0
"""Seconds. Looked at as often as anybody likes, read from the database at most once in these."""

logger = logging.getLogger(__name__)

Seen = TypeVar("Seen")


class Glance(Generic[Seen]):
    """The last that was read, and when. `_thrown` counts what must be seen, `_seen` what was.

    read: reads it now; a database error leaves the last one standing. name: as logs call it.
    nothing: what there is to see before anything was read.
    """

    _last: Seen
    _read_at: float
    _thrown: int
    _seen: int
    _failed: bool

    def __init__(self, read: Callable[[], Seen], *, nothing: Seen, name: str) -> None:
        self._read_now, self._name, self._nothing = read, name, nothing
        self._start_anew()
        # A forked child must not wait for a lock that only its parent's thread would free.
        os.register_at_fork(after_in_child=self._start_anew)

    def look(self) -> Seen:
        """At most OLDEST seconds old. Never raises.

        While the database is away the last one stands. One thread reads, the others go on with
        that; only the first look of a process, and the first after `age`, are waited for.
        """
        if self._is_old() and self._reading.acquire(timeout=self._patience):
            try:
                if self._is_old():
                    self._read()
            finally:
                self._reading.release()
        return self._last

    def age(self) -> None:
        """The next look reads the database: this process has just changed what is there."""
        self._thrown += 1

    @property
    def _patience(self) -> float:
        """Seconds to wait for whoever reads. Not for ever: the reader may need a connection that
        those who wait are holding."""
        return OLDEST if self._seen < self._thrown else 0.0

    def _is_old(self) -> bool:
        return self._seen < self._thrown or time.monotonic() >= self._read_at + OLDEST

    def _read(self) -> None:
        thrown = self._thrown  # before reading: what is thrown meanwhile is not in it
        try:
            self._last = self._read_now()
        except Error as error:
            if not self._failed:
                logger.warning("The %s could not be read: %s", self._name, type(error).__name__)
            self._failed = True
        else:
            self._failed = False
        self._read_at, self._seen = time.monotonic(), thrown

    def _start_anew(self) -> None:
        self._reading = threading.Lock()
        self._last = self._nothing
        self._read_at = 0.0
        self._thrown, self._seen = 1, 0
        self._failed = False
