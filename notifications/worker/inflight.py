"""InFlight: the messages this process holds, from their receipt until their fate is decided."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from notifications.worker.received import Received


class InFlight:
    """Each message leaves exactly once: whoever takes it out decides its fate.

    So a task that times out and fails, or one that a shutdown has given back meanwhile, is
    settled by one of the two only.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._held: dict[str, Received] = {}

    @property
    def running(self) -> int:
        """Messages whose task has begun."""
        with self._lock:
            return sum(received.started for received in self._held.values())

    @property
    def held(self) -> int:
        """Messages, begun or not."""
        with self._lock:
            return len(self._held)

    def hold(self, received: Received) -> None:
        """It came."""
        with self._lock:
            self._held[received.handle] = received

    def start(self, handle: str) -> bool:
        """Its task begins. False when it is not ours any more: do not run it."""
        with self._lock:
            received = self._held.get(handle)
            if received is None:
                return False
            received.started_at = time.monotonic()
            return True

    def take(self, handle: str) -> Received | None:
        """Out of the hold, to be settled by the caller; None when somebody else has."""
        with self._lock:
            return self._held.pop(handle, None)

    def take_unstarted(self, belongs: Callable[[Received], bool]) -> list[Received]:
        """Those whose task has not begun, out of the hold, to be given back."""
        with self._lock:
            waiting = [
                received
                for received in self._held.values()
                if not received.started and belongs(received)
            ]
            for received in waiting:
                del self._held[received.handle]
            return waiting
