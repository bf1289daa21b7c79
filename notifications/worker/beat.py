"""Beat: a worker process says every few seconds that it lives, and what it does, in its own row.

SQS has no remote control: to whoever asks from outside, a worker is what it last wrote.
"""

from __future__ import annotations

import logging
import os
import socket
import threading
import time
from collections.abc import Callable
from typing import Any

from celery import concurrency
from celery.worker import state as worker_state
from django.db import connection

from notifications import connection_budget
from notifications.models import WorkerProcess

logger = logging.getLogger(__name__)

INTERVAL = 5.0
"""Seconds between two beats."""

TICK = 0.5
"""Seconds between two looks at whether the worker has begun to stop, which is told at once."""

PRUNE_EVERY = 3600.0
LAST_BEAT_SECONDS = 3.0
"""The longest that a shutdown waits for the last beat: the database may be away."""


class Beat:
    """One daemon thread of the process that consumes (in prefork, the parent).

    row: who this process is; its other fields are filled in with each beat.
    report: what it does now, in the words of `WorkerProcess`; called in the thread.
    Nothing is raised into the worker, and a beat that failed is made up for by the next one.
    """

    def __init__(self, row: WorkerProcess, report: Callable[[], dict[str, Any]]) -> None:
        self._row = row
        self._report = report
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="beat", daemon=True)
        self._beaten_at = self._pruned_at = -PRUNE_EVERY
        self._failing = False

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Write that the process ends; call it when it holds no message any more."""
        self._ended.set()
        self._thread.join(LAST_BEAT_SECONDS)

    def _run(self) -> None:
        told, due = "", 0.0
        while True:
            state = _state()
            if state != told or time.monotonic() >= due:
                told, due = state, time.monotonic() + INTERVAL
                self._guarded(self._beat)
            if self._ended.wait(TICK):
                break
        self._guarded(lambda: WorkerProcess.objects.mark_stopped(self._row.pk))

    def _beat(self) -> None:
        row, now = self._row, time.monotonic()
        row.state = _state()
        for field, value in self._report().items():
            setattr(row, field, value)
        WorkerProcess.objects.report(row)
        if self._beaten_at < 0:
            WorkerProcess.objects.mark_replaced(row)
            connection_budget.warn(children=row.concurrency if row.pool == "prefork" else 0)
        # After an outage of the database the others may be as late as this one was.
        elif now - self._beaten_at < 2 * INTERVAL:
            WorkerProcess.objects.mark_lost()
        self._beaten_at = now
        if now - self._pruned_at >= PRUNE_EVERY:
            WorkerProcess.objects.prune()
            self._pruned_at = now

    def _guarded(self, write: Callable[[], object]) -> None:
        try:
            write()
        except Exception as error:  # noqa: BLE001 - a worker must not end of what it tells of itself
            if not self._failing:
                logger.warning("The worker's row could not be written: %s", type(error).__name__)
            self._failing = True
        else:
            self._failing = False
        finally:
            _give_connection_back()


def row_of(worker: Any) -> WorkerProcess:
    """A new row for Celery's `worker`, which has a pool by now."""
    return WorkerProcess(
        name=worker.hostname,
        host=socket.gethostname(),
        pid=os.getpid(),
        pool=_pool_name(worker.pool_cls),
        concurrency=worker.pool.num_processes,
    )


def report_of(worker: Any) -> dict[str, Any]:
    """What it does now; nothing yet while it has not begun to consume."""
    task_consumer = getattr(getattr(worker, "consumer", None), "task_consumer", None)
    consumption = getattr(getattr(task_consumer, "channel", None), "consumption", None)
    report = consumption.report() if consumption is not None else {}
    return {**report, "concurrency": worker.pool.num_processes}


def _pool_name(pool: type[Any]) -> str:
    """The name it has on the command line: "threads", "prefork"."""
    path = f"{pool.__module__}:{pool.__qualname__}"
    names: dict[str, str] = concurrency.ALIASES  # type: ignore[attr-defined]
    return next((name for name, aliased in names.items() if aliased == path), pool.__name__)


def _state() -> WorkerProcess.State:
    """As the signal handlers of Celery leave it: an exit code, which may be 0, or False."""
    asked = (worker_state.should_stop, worker_state.should_terminate)
    stopping = any(code is not None and code is not False for code in asked)
    return WorkerProcess.State.STOPPING if stopping else WorkerProcess.State.RUNNING


def _give_connection_back() -> None:
    try:
        connection.close()
    except Exception:  # one that is broken is not given back, and the next is new
        logger.debug("The beat's connection was not closed", exc_info=True)
