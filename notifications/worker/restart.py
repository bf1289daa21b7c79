"""Restart: a worker with a task that hangs in a thread begins anew, as the same process.

A thread cannot be killed, and it would hold up the interpreter's exit, which waits for the
pool's threads. So the process stops taking work, lets its other tasks finish, and then replaces
itself by a new run of its own command line, from a thread that hangs on nothing: the pid stays,
so that a supervisor, a container's init included, sees one process that goes on.
"""

from __future__ import annotations

import logging
import os
import sys
import threading
import time
from typing import TYPE_CHECKING, Any, NoReturn

from celery import signals
from celery.worker import state as worker_state

from notifications.worker.backoff import back_off

if TYPE_CHECKING:
    from notifications.worker.consumption import Consumption

logger = logging.getLogger(__name__)

GRACE = 30.0
"""Seconds that the other running tasks have to finish."""

MEMORY = 600.0
"""Seconds for which a restart is remembered: the first in that time is made at once, the ones
after it wait, longer each time."""

FIRST_WAIT, LONGEST_WAIT = 2.0, 60.0

_RESTARTS = "NOTIFICATIONS_WORKER_RESTARTS"
"""The variable by which a process tells the next one when it and those before it were restarted
(Unix seconds): the environment is all that outlives them."""


class Restart:
    """Of the process of Celery's `worker`, which consumes."""

    def __init__(self, worker: Any) -> None:
        self._worker = worker
        self._lock = threading.Lock()
        self._begun_at: float | None = None

    @property
    def seconds(self) -> float:
        """For how long it has been under way."""
        return 0.0 if self._begun_at is None else time.monotonic() - self._begun_at

    def begin(self) -> None:
        """From any thread; returns at once, and does nothing when it has begun already."""
        with self._lock:
            if self._begun_at is not None:
                return
            self._begun_at = time.monotonic()
        threading.Thread(target=self._run, name="restart", daemon=True).start()

    def _run(self) -> None:
        try:
            self._finish_work()
            self._wait_if_often()
        except Exception:
            logger.exception("The worker did not stop in order; what it held comes again")
        signals.worker_shutdown.send(sender=self._worker)  # as Celery does at every other end
        _begin_anew()

    def _finish_work(self) -> None:
        logger.error("The worker restarts itself: a thread that hangs cannot be ended otherwise")
        consumption: Consumption = self._worker.consumer.task_consumer.channel.consumption
        consumption.stop()
        if left := consumption.wait_for_others(GRACE):
            logger.error("%d other tasks still run after %.0f s, and are cut off", left, GRACE)
        consumption.close(patient=not worker_state.should_terminate)

    def _wait_if_often(self) -> None:
        recent = _recent_restarts()
        os.environ[_RESTARTS] = " ".join(f"{when:.0f}" for when in [*recent, time.time()])
        if not recent:
            return
        wait = back_off(len(recent), FIRST_WAIT, LONGEST_WAIT)
        logger.error(
            "Restarted %d times in the last %.0f min already, so waiting %.0f s first: does a "
            "provider hang without a timeout, or is a consumer's max_seconds too short?",
            len(recent),
            MEMORY / 60,
            wait,
        )
        deadline = time.monotonic() + wait
        while time.monotonic() < deadline and not is_asked_to_stop():
            time.sleep(0.1)


def _begin_anew() -> NoReturn:
    """Never returns: a new run of the command line, or the end if the worker is to stop anyway."""
    logging.shutdown()
    sys.stdout.flush()
    sys.stderr.flush()
    if is_asked_to_stop():
        os._exit(os.EX_OK)
    try:
        os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])  # noqa: S606 - its own command line
    except OSError as error:  # the interpreter was replaced by a deploy, say
        os.write(2, f"The worker could not begin anew, and ends: {error}\n".encode())
        os._exit(os.EX_OSERR)


def is_asked_to_stop() -> bool:
    """Whether the worker is to stop.

    As Celery's signal handlers leave it: an exit code, which may be 0; else None or False.
    """
    asked = (worker_state.should_stop, worker_state.should_terminate)
    return any(code is not None and code is not False for code in asked)


def _recent_restarts() -> list[float]:
    now = time.time()
    told = os.environ.get(_RESTARTS, "").split()
    return [float(when) for when in told if when.isdigit() and now - float(when) < MEMORY]
