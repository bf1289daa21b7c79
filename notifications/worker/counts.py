"""Counts: what a worker process has done with messages since it started."""

from __future__ import annotations

import threading
from collections import Counter


class Counts:
    """Named counters, added to from many threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counter: Counter[str] = Counter()

    def add(self, name: str, count: int = 1) -> None:
        with self._lock:
            self._counter[name] += count

    def snapshot(self) -> dict[str, int]:
        """The counters as they stand."""
        with self._lock:
            return dict(self._counter)

    def __str__(self) -> str:
        with self._lock:
            counted = sorted(self._counter.items())
        return ", ".join(f"{name} {count}" for name, count in counted if count) or "none"
