"""InFlight: the messages this process holds, from their receipt until their fate is decided."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from notifications.worker.received import Received

Belongs = Callable[[Received], bool]


class InFlight:
    """Each message leaves exactly once: whoever takes it out decides its fate.

    So a task that times out and fails, or one that a shutdown has given back meanwhile, is
    settled by one of the two only. Marks are set only on what is held, under the same lock: what
    is taken out after that has them.
    """

    def __init__(self, on_gone: Callable[[Received], None] = lambda received: None) -> None:
        """on_gone: told of each message that leaves, under the lock: it must not come back here."""
        self._on_gone = on_gone
        self._changed = threading.Condition()
        self._held: dict[str, Received] = {}

    @property
    def held(self) -> int:
        """Messages, begun or not."""
        with self._changed:
            return len(self._held)

    @property
    def running(self) -> int:
        """Messages whose task has begun."""
        with self._changed:
            return sum(received.started for received in self._held.values())

    def runs(self, consumer: str) -> bool:
        """Whether a task of this consumer has begun."""
        with self._changed:
            return any(
                each.started and each.queue.consumer == consumer for each in self._held.values()
            )

    def hold(self, received: Received) -> None:
        """It came."""
        with self._changed:
            self._held[received.handle] = received

    def start(self, handle: str, *, in_thread: bool = False) -> Received | None:
        """Its task begins. None when it is not ours any more: do not run it."""
        with self._changed:
            received = self._held.get(handle)
            if received is not None:
                received.started_at = time.monotonic()
                received.in_thread = in_thread
            return received

    def take(self, handle: str) -> Received | None:
        """Out of the hold, to be settled by the caller; None when somebody else has."""
        with self._changed:
            return self._take(handle)

    def take_unstarted(self, belongs: Belongs) -> list[Received]:
        """Those whose task has not begun, out of the hold, to be given back."""
        with self._changed:
            waiting = [each for each in self._held.values() if not each.started and belongs(each)]
            for received in waiting:
                self._take(received.handle)
            return waiting

    def take_all(self) -> list[Received]:
        """Every one, begun or not, out of the hold."""
        with self._changed:
            return [received for handle in list(self._held) if (received := self._take(handle))]

    def mark_extending(self, belongs: Belongs) -> list[Received]:
        """Those to be hidden anew now. Until they have been, nothing else is asked of SQS for
        them (`Acknowledger.extend`)."""
        with self._changed:
            chosen = [
                each
                for each in self._held.values()
                if not each.extending and not each.lost and belongs(each)
            ]
            for received in chosen:
                received.extending = True
            return chosen

    def mark_overdue(self, belongs: Belongs) -> list[Received]:
        """Those that are overdue now and were not before."""
        with self._changed:
            late = [each for each in self._held.values() if not each.overdue and belongs(each)]
            for received in late:
                received.overdue = True
            self._changed.notify_all()
            return late

    def mark_lost(self, received: Received) -> bool:
        """Somebody else has it. False when it was settled here meanwhile.

        One that has not begun is out of the hold now, and will not begin.
        """
        with self._changed:
            if received.handle not in self._held:
                return False
            received.lost = True
            if not received.started:
                self._take(received.handle)
            return True

    def wait_for_others(self, seconds: float) -> int:
        """Wait until no task runs but those that are overdue; how many still do after `seconds`."""
        with self._changed:
            self._changed.wait_for(lambda: not self._in_time(), seconds)
            return self._in_time()

    def _in_time(self) -> int:
        return sum(each.started and not each.overdue for each in self._held.values())

    def _take(self, handle: str) -> Received | None:
        received = self._held.pop(handle, None)
        self._changed.notify_all()
        if received is not None:
            self._on_gone(received)
        return received
