"""What `-Q` means: names of registered consumers, and without it every one of them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import click
from celery.app.amqp import AMQP, Queues
from celery.exceptions import ImproperlyConfigured
from kombu import Queue

from notifications import consumers


class ConsumerQueues(Queues):
    """Celery's queues, one for each registered consumer."""

    def select(self, include: Iterable[str] | None) -> None:
        """Consume from these only."""
        unknown = sorted(set(include or ()) - set(self))
        if unknown:
            raise click.UsageError(
                f"-Q names {', '.join(unknown)}, which is no consumer; "
                f"there are: {', '.join(sorted(self)) or 'none'}."
            )
        super().select(list(include or ()))


class ConsumerAMQP(AMQP):
    """Named by `Celery(amqp=…)`."""

    queues_cls = ConsumerQueues

    def Queues(self, queues: Any, *args: Any, **kwargs: Any) -> ConsumerQueues:
        """Those of the registered consumers; `task_queues` has no say."""
        named = [
            Queue(consumer.name, routing_key=consumer.name, no_declare=True)
            for consumer in consumers.all_consumers()
        ]
        return self.queues_cls(named, create_missing=False)

    def TaskConsumer(self, *args: Any, **kwargs: Any) -> Any:
        """The worker's kombu consumer. Raises when a consumer's task is not registered."""
        for name in self.queues.consume_from:
            task = consumers.get(name).task
            if task not in self.app.tasks:
                raise ImproperlyConfigured(
                    f"Consumer {name!r} names the task {task!r}, which is not registered: "
                    "is the module that defines it imported by a consumers.py?"
                )
        return super().TaskConsumer(*args, **kwargs)
