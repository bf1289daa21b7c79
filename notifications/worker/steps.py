"""Steps of the worker's start and stop, beside Celery's own."""

from __future__ import annotations

import sys
from functools import partial
from typing import Any

from celery import bootsteps, signals
from celery.worker import state
from django.core.exceptions import ImproperlyConfigured

from notifications import liveness, process_server, readiness
from notifications.connection_pool import warn_of_too_few
from notifications.worker import garbage
from notifications.worker.beat import Beat, report_of, row_of
from notifications.worker.liveness import WorkerLiveness
from notifications.worker.restart import Restart
from notifications.worker.warmup import warm_up

LOOK_SECONDS = 1.0
"""Seconds between two looks at whether a stopping worker is to stop at once after all, and at
whether its children live."""


class FinishRunning(bootsteps.StartStopStep):
    """On a warm shutdown, hears the outcome of every task that a child of the pool still runs.

    Celery's own wait ends with the children (celery.concurrency.asynpool, ResultHandler), and
    may leave unread what the last of them wrote: that message would be hidden for its
    visibility timeout, and then run again. Threads need none of this: they settle themselves.

    Before that, when its consumer stops, Celery forgets the tasks that are with the pool and not
    yet with a child (`flush`), as a broker would give them back. For us they have begun: they are
    finished, too.
    """

    requires = ("celery.worker.components:Pool",)  # so it stops after the consumer, before the pool

    def start(self, worker: Any) -> None:
        if worker.pool.uses_semaphore:
            worker.pool.flush = None

    def stop(self, worker: Any) -> None:
        task_consumer = worker.consumer.task_consumer
        if task_consumer is None or not worker.pool.uses_semaphore:
            return  # told to stop before it consumed, or a pool of threads
        consumption = task_consumer.channel.consumption
        pool = worker.pool._pool
        # The loop sleeps until its next timer: a signal's flag is to be seen before that. And the
        # pool, closed by now, looks no more after a child that is killed: its task has no end.
        worker.hub.call_repeatedly(LOOK_SECONDS, pool._join_exited_workers)
        while consumption.running and not state.should_terminate:
            if not pool._pool:  # each had done its `--max-tasks-per-child`: no other comes for them
                consumption.give_back_all()
            worker.hub.run_once()


class SharePool(bootsteps.StartStopStep):
    """Tells the channel how large the pool is, of which no consumer has more than half."""

    requires = ("celery.worker.consumer.tasks:Tasks",)

    def start(self, consumer: Any) -> None:
        consumer.task_consumer.channel.places = lambda: consumer.pool.num_processes


class WarmUp(bootsteps.StartStopStep):
    """Keeps the first messages from waiting for what is made once. Not for the children of a
    pool of processes, which were forked before."""

    requires = ("celery.worker.consumer.tasks:Tasks",)

    def start(self, consumer: Any) -> None:
        names = []
        if not consumer.pool.uses_semaphore:
            warn_of_too_few(consumer.pool.num_processes)
            names = list(consumer.app.amqp.queues.consume_from)
        warm_up(names)
        garbage.leave_out_what_stays()


class Restarting(bootsteps.StartStopStep):
    """Tells the channel what to do about a thread that hangs."""

    requires = ("celery.worker.consumer.tasks:Tasks",)

    def start(self, consumer: Any) -> None:
        restart = consumer.controller.restart = Restart(consumer.controller)
        consumer.task_consumer.channel.on_hung = restart.begin


class Answering(bootsteps.StartStopStep):
    """Says over HTTP how the process does, where that is asked for, until it ends."""

    requires = ("celery.worker.components:Pool",)  # whose children are not to inherit the thread

    def __init__(self, worker: Any, **options: Any) -> None:
        super().__init__(worker, **options)
        try:
            self._server = process_server.listen()
        except ImproperlyConfigured as error:
            sys.exit(str(error))

    def start(self, worker: Any) -> None:
        if self._server is not None:
            alive = WorkerLiveness(worker)
            alive.start()
            process_server.register(liveness.PATH, alive.answer)
            process_server.register(readiness.PATH, partial(readiness.answer, strict=True))
            self._server.start()


class Beating(bootsteps.StartStopStep):
    """Keeps the worker's row, from when it has a pool until it holds no message any more."""

    requires = ("celery.worker.components:Pool",)

    def start(self, worker: Any) -> None:
        self._beat = Beat(row_of(worker), partial(report_of, worker))
        self._beat.start()
        signals.worker_shutdown.connect(self._end, sender=worker, weak=False)

    def stop(self, worker: Any) -> None:
        """Not yet: the pool's threads and the acknowledgements come after this."""

    def terminate(self, worker: Any) -> None:
        self._end()

    def _end(self, **_: Any) -> None:
        self._beat.stop()
