"""Pulse: when a loop last came round, and what the threads beside it are at."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager


class Pulse:
    """From any thread.

    patience: seconds within which a loop comes round, and whatever is `at()` something is done.
    """

    def __init__(self, patience: float) -> None:
        self._patience = patience
        self._turned_at = time.monotonic()
        self._excused = False
        self._at: dict[int, tuple[str, float]] = {}

    @property
    def silence(self) -> float:
        """Seconds since the loop came round."""
        return time.monotonic() - self._turned_at

    def turn(self) -> None:
        """The loop has come round."""
        self._turned_at = time.monotonic()

    @contextmanager
    def excused(self) -> Iterator[None]:
        """The loop is where somebody else decides for how long: at the database."""
        self._excused = True
        try:
            yield
        finally:
            self.turn()
            self._excused = False

    @contextmanager
    def at(self, what: str) -> Iterator[None]:
        """This thread is at `what`, which has time-outs of its own."""
        me = threading.get_ident()
        self._at[me] = (what, time.monotonic())
        try:
            yield
        finally:
            del self._at[me]

    def why_dead(self) -> str:
        """Nothing while it is well."""
        if not self._excused and self.silence > self._patience:
            return f"its loop has not come round for {self.silence:.0f} s"
        now = time.monotonic()
        for what, since in list(self._at.values()):
            if now - since > self._patience:
                return f"{what} hangs since {now - since:.0f} s"
        return ""
