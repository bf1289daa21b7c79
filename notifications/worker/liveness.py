"""WorkerLiveness: whether the event loop turns, the queues are polled, and what hangs goes."""

from __future__ import annotations

from typing import Any

from notifications import liveness
from notifications.process_server import Answer
from notifications.pulse import Pulse
from notifications.worker.restart import Restart, is_asked_to_stop

TURN = 5.0
"""Seconds between two turns of the event loop that are looked at."""

LOOP_PATIENCE = 60.0
"""Seconds. Nothing on the loop may wait, but its process may get little of a busy machine."""

POLL_PATIENCE = 120.0
"""Seconds. A poll may take nearly a hundred (`notifications.worker.poll_watch`): a step before the
receive, a long poll with its time-outs, a step after it."""

RESTART_PATIENCE = 300.0
"""Seconds. A restart waits for other tasks, for open polls and answers, and where there were others
lately."""


class WorkerLiveness:
    """Of Celery's `worker`, from when it has a pool."""

    def __init__(self, worker: Any) -> None:
        self._worker = worker
        self._pulse = Pulse(LOOP_PATIENCE)

    def start(self) -> None:
        """Have the event loop tell that it turns."""
        self._worker.hub.call_repeatedly(TURN, self._pulse.turn)

    def answer(self) -> Answer:
        return liveness.answer(self.why_dead(), {"loop": round(self._pulse.silence, 1)})

    def why_dead(self) -> str:
        """Nothing while it is well; also while it stops, for which its supervisor has a limit."""
        if is_asked_to_stop():
            return ""
        return self._pulse.why_dead() or self._neglected() or self._still_restarting()

    def _neglected(self) -> str:
        task_consumer = getattr(getattr(self._worker, "consumer", None), "task_consumer", None)
        consumption = getattr(getattr(task_consumer, "channel", None), "consumption", None)
        if consumption is None:
            return ""  # it has not begun to consume, or has ended
        for queue, seconds in consumption.neglected().items():
            if seconds > POLL_PATIENCE:
                return f"{queue} was neither polled nor held for {seconds:.0f} s"
        return ""

    def _still_restarting(self) -> str:
        restart: Restart | None = getattr(self._worker, "restart", None)
        if restart is not None and restart.seconds > RESTART_PATIENCE:
            return f"it tries to restart itself since {restart.seconds:.0f} s"
        return ""
