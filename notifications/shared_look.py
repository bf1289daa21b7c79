"""SharedLook: what is slow to find out, found by one thread at a time and shared by all who ask.

Who asks waits for as long as they like and leaves; the thread goes on, and the next who asks has
it. So a server that hangs holds one thread and nobody else. What a process reads by itself, at
once, is a `Glance`.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable
from typing import Generic, TypeVar

logger = logging.getLogger(__name__)

Found = TypeVar("Found")


class SharedLook(Generic[Found]):
    """ask: finds it, in a thread of its own, whose connections it closes. If it raises, that is
    logged, what was found last stands, and the next who looks has it asked again.

    nothing: what there is before any answer. fresh: seconds for which an answer is shared, by what
    it is. name: the thread's, and what the log calls it.
    """

    def __init__(
        self,
        ask: Callable[[], Found],
        *,
        nothing: Found,
        fresh: Callable[[Found], float],
        name: str,
    ) -> None:
        self._ask, self._nothing, self._fresh, self._name = ask, nothing, fresh, name
        self.start_anew()
        # A forked child must not wait for a thread that only its parent has.
        os.register_at_fork(after_in_child=self.start_anew)

    def start_anew(self) -> None:
        """Forget what was found; what is being asked now comes too late."""
        self._state = _State(self._nothing)

    def begin(self) -> threading.Event | None:
        """See to it that it is asked; None when the last answer is fresh, else what is set once
        there is another."""
        state = self._state
        with state.lock:
            if state.asking is None and time.monotonic() >= state.fresh_until:
                asking = threading.Event()
                threading.Thread(
                    target=self._run, args=(state, asking), name=self._name, daemon=True
                ).start()
                state.asking = asking
            return state.asking

    def take(self, patience: float) -> tuple[Found, bool]:
        """What was found last, and whether that was in time; waits for `patience` seconds at
        most."""
        asking = self.begin()
        in_time = asking is None or asking.wait(patience)
        return self._state.found, in_time

    def _run(self, state: _State[Found], asking: threading.Event) -> None:
        try:
            found = self._ask()
            state.found, state.fresh_until = found, time.monotonic() + self._fresh(found)
        except Exception:
            logger.exception("The %s could not be asked for.", self._name)
        finally:
            with state.lock:
                state.asking = None
            asking.set()


class _State(Generic[Found]):
    def __init__(self, nothing: Found) -> None:
        self.lock = threading.Lock()
        self.found = nothing
        self.fresh_until = 0.0
        self.asking: threading.Event | None = None
