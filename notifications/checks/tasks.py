"""Tasks: each consumer has one, tried as its queue expects."""

from __future__ import annotations

from collections.abc import Iterator

from celery import current_app
from django.core.checks import CheckMessage, Error

from notifications.consumers import Consumer, all_consumers
from notifications.worker.task import EventTask


def check_tasks() -> Iterator[CheckMessage]:
    for consumer in all_consumers():
        task = current_app.tasks.get(consumer.task)
        if not isinstance(task, EventTask):
            yield Error(
                f"Consumer {consumer.name!r} names the task {consumer.task!r}, which is "
                f"{'no EventTask' if task else 'not registered with Celery'}.",
                hint=f"Declare it in a consumers.py: @shared_task(bind=True, base=EventTask, "
                f'name="{consumer.task}", …).',
                id="notifications.E009",
            )
        else:
            yield from _task_of(consumer, task)


def _task_of(consumer: Consumer, task: EventTask) -> Iterator[CheckMessage]:
    if not task.acks_late:
        yield Error(
            f"The task {consumer.task!r} has acks_late off: a worker that dies would lose it.",
            hint="Declare it with acks_late=True.",
            id="notifications.E010",
        )
    retries = task.max_retries
    if retries is None or retries > consumer.max_retries:
        yield Error(
            f"The task {consumer.task!r} has max_retries={retries}, its consumer "
            f"{consumer.max_retries}: SQS would dead-letter what is still being retried.",
            hint=f"Register the consumer with max_retries={retries or 'the number you mean'}.",
            id="notifications.E011",
        )
