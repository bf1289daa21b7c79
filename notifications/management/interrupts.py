"""Interrupts: a command that looks again and again, until Ctrl-C."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Event
from typing import Any


@contextmanager
def until_interrupted() -> Iterator[Event]:
    """An event that Ctrl-C sets; wait for it instead of sleeping. In the main thread only.

    Race: a KeyboardInterrupt is raised wherever the program happens to be, and a library that
    takes it for its own trouble may swallow it. A second Ctrl-C is an ordinary one again, for a
    look that hangs.
    """
    interrupted = Event()
    before = signal.getsignal(signal.SIGINT)

    def heed(*_: Any) -> None:
        interrupted.set()
        signal.signal(signal.SIGINT, before)

    signal.signal(signal.SIGINT, heed)
    try:
        yield interrupted
    finally:
        signal.signal(signal.SIGINT, before)
