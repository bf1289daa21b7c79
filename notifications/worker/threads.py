"""Daemon threads for I/O that must not hold the event loop, nor the interpreter's exit."""

from __future__ import annotations

import heapq
import itertools
import logging
import threading
import time
from collections.abc import Callable
from queue import SimpleQueue

logger = logging.getLogger(__name__)

Job = Callable[[], None]


class Threads:
    """At most `most` daemon threads, started as they are needed, that run jobs.

    Unlike concurrent.futures' they do not hold up the interpreter: a cold shutdown must not
    wait for a long poll. `wait_until_idle()` is the warm one's patience.
    """

    def __init__(self, name: str, most: int) -> None:
        self._name = name
        self._most = most
        self._jobs: SimpleQueue[Job | None] = SimpleQueue()
        self._changed = threading.Condition()
        self._threads = 0
        self._unfinished = 0
        self._closed = False

    def submit(self, job: Job) -> None:
        """Run `job` in one of the threads, or here and now once they are closed; its errors are
        logged. Where no thread can be had it waits for one, or for the next job."""
        with self._changed:
            self._unfinished += 1
            closed = self._closed
            if not closed:
                self._jobs.put(job)
                if self._threads < min(self._unfinished, self._most):
                    self._start_one()
        if closed:
            self._finish(job)

    def replace_one(self) -> None:
        """One of the threads may never come back: let another be started in its place."""
        with self._changed:
            self._most += 1

    def wait_until_idle(self, seconds: float) -> bool:
        """Wait until every job has run. False when they have not after `seconds`."""
        with self._changed:
            return self._changed.wait_for(lambda: not self._unfinished, seconds)

    def close(self) -> None:
        """Let the threads end once what was submitted has run."""
        with self._changed:
            self._closed = True
            for _ in range(self._threads):
                self._jobs.put(None)
            self._threads = 0

    def _start_one(self) -> None:
        self._threads += _is_started(f"{self._name}-{self._threads + 1}", self._run)

    def _run(self) -> None:
        while (job := self._jobs.get()) is not None:
            self._finish(job)

    def _finish(self, job: Job) -> None:
        try:
            job()
        except Exception:
            logger.exception("A job of %s failed", self._name)
        with self._changed:
            self._unfinished -= 1
            if not self._unfinished:
                self._changed.notify_all()


class Timer:
    """One daemon thread that runs short jobs at their time. None of them may wait."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._changed = threading.Condition()
        self._due: list[tuple[float, int, Job]] = []
        self._number = itertools.count()
        self._started = False
        self._closed = False

    def after(self, seconds: float, job: Job) -> None:
        """Run `job` in `seconds`, or when the timer is closed, or now if it is; its errors are
        logged."""
        when = time.monotonic() + seconds
        with self._changed:
            closed = self._closed
            if not closed:
                first = not self._due or when < self._due[0][0]
                heapq.heappush(self._due, (when, next(self._number), job))
                if not self._started:
                    self._started = _is_started(self._name, self._run)
                elif first:
                    self._changed.notify()
        if closed:
            self._guarded(job)

    def close(self) -> None:
        """End the thread, and run here and now what it was keeping for later."""
        with self._changed:
            self._closed = True
            due, self._due = sorted(self._due), []
            self._changed.notify()
        for _, _, job in due:
            self._guarded(job)

    def _run(self) -> None:
        while (job := self._next()) is not None:
            self._guarded(job)

    def _next(self) -> Job | None:
        with self._changed:
            while not self._closed:
                wait = self._due[0][0] - time.monotonic() if self._due else None
                if wait is not None and wait <= 0:
                    return heapq.heappop(self._due)[2]
                self._changed.wait(wait)
            return None

    def _guarded(self, job: Job) -> None:
        try:
            job()
        except Exception:
            logger.exception("A job of %s failed", self._name)


def _is_started(name: str, run: Job) -> bool:
    """Not while the process, or its container, has all the threads that it may have. That is said,
    and not raised: who has work done here has let go of it already."""
    try:
        threading.Thread(target=run, name=name, daemon=True).start()
    except RuntimeError as error:
        logger.error("Thread %s could not be started: %s", name, error)
        return False
    return True
