"""Waiting for a condition, with a deadline. The only place in the tests that sleeps."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")
POLL = 0.02


def wait_for(condition: Callable[[], T], *, within: float = 30.0, what: str = "") -> T:
    """The first true value of `condition()`. Fails after `within` seconds, showing the last one."""
    deadline = time.monotonic() + within
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            name = what or getattr(condition, "__qualname__", repr(condition))
            raise AssertionError(f"waited {within:g} s for {name}; it is still {value!r}")
        time.sleep(POLL)
