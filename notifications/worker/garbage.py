"""Garbage: what a worker's collector looks at, which is to be little, so that it looks often."""

from __future__ import annotations

import gc
import time

EVERY = 60.0
"""Seconds from one full collection of a forked child to its next. It takes some 50 ms."""

_USUAL = gc.get_threshold()
_SELDOM = (50_000, 10, 10)


def look_seldom() -> None:
    """Until `leave_out_what_stays()`: nearly all that a start makes stays, and to look at it four
    hundred times is a tenth of the start's CPU. Not never, as a process may have been taken for a
    worker of ours that is none, and stays as it is."""
    gc.set_threshold(*_SELDOM)


def leave_out_what_stays() -> None:
    """Whatever is there now stays, and is looked at no more. Once, before a pool of processes is
    forked, or when all is made that the first messages would wait for.

    An error with its traceback, and botocore's parser of each answer, are circles, which only a
    full collection ends. Python makes one when what is new comes to a quarter of what stays
    (`gc.set_threshold`): of a third of a million objects, code and models mostly, that is every few
    minutes, and up to forty megabytes of garbage until then, which look like a leak. Children
    share what is left out: no collection writes to its pages.
    """
    if not gc.get_freeze_count():
        gc.collect()
        gc.freeze()
        gc.collect()  # so that Python counts anew what stays: nearly nothing
    gc.set_threshold(*_USUAL)


class Collector:
    """For after each task of a forked child: collects everything, once in so many seconds.

    What a child makes for itself, clients mostly, came after what was left out: a quarter of that
    is a lot, and a child has few messages, so that Python's own full collections were ten minutes
    apart and a child carried up to fifteen megabytes of garbage.
    """

    def __init__(self, every: float = EVERY) -> None:
        self._every = every
        self._last = time.monotonic()

    def __call__(self, **_: object) -> None:
        if time.monotonic() - self._last >= self._every:
            gc.collect()
            self._last = time.monotonic()
