"""Steps of the worker's start and stop, beside Celery's own."""

from __future__ import annotations

from typing import Any

from celery import bootsteps
from celery.worker import state


class FinishRunning(bootsteps.StartStopStep):
    """On a warm shutdown, hears the outcome of every task that a child of the pool still runs.

    Celery's own wait ends with the children (celery.concurrency.asynpool, ResultHandler), and
    may leave unread what the last of them wrote: that message would be hidden for its
    visibility timeout, and then run again. Threads need none of this: they settle themselves.
    """

    requires = ("celery.worker.components:Pool",)  # so it stops after the consumer, before the pool

    def stop(self, worker: Any) -> None:
        consumption = worker.consumer.task_consumer.channel.consumption
        while worker.pool.uses_semaphore and consumption.running and not state.should_terminate:
            worker.hub.run_once()
