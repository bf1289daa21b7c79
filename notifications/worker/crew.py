"""Crew: the threads of a pool, each of which goes on with the next message when it has done one."""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable
from typing import Any

logger = logging.getLogger(__name__)

Work = Callable[[], None]


class Crew:
    """At most as many as the pool has threads. One is called when work comes, it calls the next
    as it begins, in case it should wait long, and each goes when there is nothing left to do.

    So a batch of quick tasks is done by the first two or three, while slow ones soon have a thread
    each. The pool's executor would wake one for each message, and make a future for it: more than
    a quick task itself.
    """

    def __init__(self, pool: Any) -> None:
        """pool: Celery's pool of threads."""
        self._pool = pool
        self._lock = threading.Lock()
        self._waiting: deque[Work] = deque()
        self._members = 0
        self._called = False  # one is on its way

    def put(self, work: Work) -> None:
        """Have `work` done. It should raise nothing; what it raises all the same is logged."""
        with self._lock:
            self._waiting.append(work)
            calls = self._is_to_call()
        if calls:
            self._call()

    def _join(self) -> None:
        with self._lock:
            self._called = False
        while work := self._next():
            try:
                work()
            except BaseException:  # it would cost the crew one of its places, for good
                logger.exception("A task's thread could not say what became of it")

    def _next(self) -> Work | None:
        with self._lock:
            if not self._waiting:
                self._members -= 1
                return None
            work = self._waiting.popleft()
            calls = self._is_to_call()
        if calls:
            self._call()
        return work

    def _call(self) -> None:
        try:
            self._pool.apply_async(self._join, callback=_nothing)
        except RuntimeError:  # the pool has ended; what waits has been given back by then
            with self._lock:
                self._called = False
                self._members -= 1

    def _is_to_call(self) -> bool:
        """Whether whoever asks is to call one more."""
        if self._called or not self._waiting or self._members >= self._pool.limit:
            return False
        self._called = True
        self._members += 1
        return True


def crew_of(pool: Any) -> Crew:
    """The one crew of this pool."""
    crew: Crew | None = getattr(pool, "crew", None)
    if crew is None:
        crew = pool.crew = Crew(pool)  # on the event loop only, so never two
    return crew


def _nothing(result: None) -> None:
    pass
