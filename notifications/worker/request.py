"""Request: one message's task in this worker, and what becomes of the message after it.

Celery's own acknowledges through the event loop and publishes nothing useful on SQS; this
one settles the message with `Consumption`, from whichever thread the task ended in.
"""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable
from functools import partial
from typing import Any
from weakref import ref

from billiard import einfo
from billiard.einfo import ExceptionInfo
from celery.app.trace import fast_trace_task
from celery.exceptions import (
    Ignore,
    Reject,
    Retry,
    TaskRevokedError,
    Terminated,
    TimeLimitExceeded,
    WorkerLostError,
)
from celery.worker import request as celery_request
from celery.worker import state

from notifications import consumers, metrics
from notifications.dead_letters import Failure
from notifications.exceptions import Busy
from notifications.worker.crew import crew_of
from notifications.worker.database import DatabaseUnavailable

logger = logging.getLogger(__name__)

WAIT_AFTER_LOSS = 10
"""Seconds until a message comes again whose process died under it; its starts bound it."""

_LOST = (WorkerLostError, Terminated, MemoryError, SystemExit, KeyboardInterrupt)


_CeleryRequest: Any = celery_request.Request


class Request(_CeleryRequest):
    """Made by `strategy.events`, one for each message."""

    def execute_using_pool(self, pool: Any, **kwargs: Any) -> Any:
        """Give the task to the pool, unless its message has been given back meanwhile."""
        if not pool.uses_semaphore:
            crew_of(pool).put(self._run_in_thread)
            return None
        if not self._start(in_thread=False):
            raise TaskRevokedError(self.id)  # frees the place that was taken in the pool
        result = pool.apply_async(
            fast_trace_task,
            args=(self.type, self.id, self.request_dict, self.body, None, None),
            accept_callback=self.on_accepted,
            timeout_callback=self.on_timeout,
            callback=self.on_success,
            error_callback=self.on_failure,
            soft_timeout=self.task.soft_time_limit,
            timeout=self._longest,
            correlation_id=self.id,
        )
        self._apply_result = ref(result)
        return result

    def on_success(self, failed__retval__runtime: Any, **kwargs: Any) -> None:
        failed, result, _ = failed__retval__runtime
        if failed:
            self.on_failure(result, return_ok=True)
            return
        state.task_ready(self, successful=True)
        metrics.record_handled(self._consumer, "done")
        self.acknowledge()

    def on_retry(self, exc_info: ExceptionInfo) -> None:
        """The message sleeps for as long as `EventTask.retry` said, and comes again."""
        retry = _exception(exc_info)
        if isinstance(retry.exc, DatabaseUnavailable):
            self._consumption.database_missed()
        waits = isinstance(retry.exc, (DatabaseUnavailable, Busy))
        metrics.record_handled(self._consumer, "waits" if waits else "retried")
        self._settle(self._consumption.retry, retry.when or 0)

    def on_failure(
        self, exc_info: ExceptionInfo, send_failed_event: bool = True, return_ok: bool = False
    ) -> None:
        """Whatever else a task ended with. `return_ok`: the failure is stored already."""
        state.task_ready(self)
        error = _exception(exc_info)
        match error:
            case Retry():
                self.on_retry(exc_info)
            case Ignore():
                metrics.record_handled(self._consumer, "ignored")
                self.acknowledge()
            case TimeLimitExceeded():
                metrics.record_handled(self._consumer, "lost")
                self._settle(self._consumption.abandon)
            case Reject():
                self.reject(requeue=error.requeue)  # type: ignore[attr-defined]
            case _ if isinstance(error, _LOST):
                metrics.record_handled(self._consumer, "lost")
                logger.error("Task %s[%s] lost its process: %r", self.name, self.id, error)
                self._settle(self._consumption.retry, WAIT_AFTER_LOSS)
            case _:
                metrics.record_handled(self._consumer, "failed")
                self._give_up(error, None if return_ok else partial(self._store, error))

    def on_timeout(self, soft: bool, timeout: float) -> None:
        """The pool kills a child that takes too long. `on_failure` comes besides, or came.

        The message comes again when its last extension ends; an event that does so each time is
        known by its starts (`EventTask`).
        """
        limit = "Soft" if soft else "Hard"
        logger.error("%s time limit (%ss) exceeded for %s[%s]", limit, timeout, self.name, self.id)
        if not soft:
            state.task_ready(self)
            self._settle(self._consumption.abandon)

    def cancel(self, pool: Any, signal: Any = None, emit_retry: bool = True) -> None:
        """At a cold stop. In a thread, which nobody can kill, the task is waited for."""
        if pool.uses_semaphore:
            super().cancel(pool, signal, emit_retry)

    def acknowledge(self) -> None:
        """The task is done with the message."""
        self._settle(self._consumption.done)

    def reject(self, requeue: bool = False) -> None:
        if requeue:
            self._settle(self._consumption.retry, WAIT_AFTER_LOSS)
        else:
            self._settle(self._consumption.give_up, Failure(reason="rejected"))

    @property
    def _handle(self) -> str:
        return str(self.message.delivery_tag)

    @property
    def _consumption(self) -> Any:
        return self.message.channel.consumption

    @property
    def _consumer(self) -> str:
        return str(self.request_dict["headers"]["consumer"])

    @property
    def _longest(self) -> float:
        """Seconds after which a child is killed: its consumer's maximum, or less if the task says
        so. The heartbeat ends there too."""
        most = consumers.get(self._consumer).max_seconds
        return min(most, self.task.time_limit or most)

    def _start(self, *, in_thread: bool) -> bool:
        return bool(self._consumption.start(self._handle, in_thread=in_thread))

    def _run_in_thread(self) -> None:
        """In a thread of the pool; nobody looks at what this raises, so nothing may be."""
        if not self._start(in_thread=True):
            state.task_ready(self)
            return
        try:
            self.on_accepted(os.getpid(), time.monotonic())
            result = fast_trace_task(self.type, self.id, self.request_dict, self.body, None, None)
            self.on_success(result)
        except BaseException:  # noqa: BLE001 - SystemExit and MemoryError end the task, not the thread
            self.on_failure(ExceptionInfo())

    def _give_up(self, error: BaseException, first: Callable[[], None] | None) -> None:
        failure = Failure.of(error, attempts=self._attempts(error))
        self._settle(partial(self._consumption.give_up, first=first), failure)

    @staticmethod
    def _attempts(error: BaseException) -> int:
        """Those that the task knows of; a task that was killed could not say."""
        attempts = getattr(error, "attempts", 1)
        return attempts if isinstance(attempts, int) else 1

    def _store(self, error: BaseException) -> None:
        """The failed task's row, when the process that ran it could not write it itself."""
        self.task.backend.mark_as_failure(
            self.id, error, request=self._context, store_result=self.store_errors
        )

    def _settle(self, how: Callable[..., None], *arguments: Any) -> None:
        how(self._handle, *arguments)
        self.acknowledged = True


def _exception(exc_info: ExceptionInfo) -> Any:
    error = exc_info.exception
    # A child's exception comes wrapped; billiard's stubs do not know the wrapper.
    wrapper: type[Any] = einfo.ExceptionWithTraceback  # type: ignore[attr-defined]
    return error.exc if isinstance(error, wrapper) else error
