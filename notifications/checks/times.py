"""Times against each other: a message's run, its visibility, its retries, and its retention."""

from __future__ import annotations

from collections.abc import Iterator

from celery import current_app
from django.core.checks import CheckMessage, Error, Warning

from notifications import retries, topology
from notifications.conf import conf
from notifications.consumers import Consumer, all_consumers
from notifications.retries import RETRY_AFTER_MAX, RetryPolicy
from notifications.setting import LONGEST_VISIBILITY
from notifications.topology import SHORTEST_VISIBILITY, Queue, Role
from notifications.worker.task import LONGEST_SLEEP, EventTask

DAY = 24 * 3600


def check_visibility() -> Iterator[CheckMessage]:
    """A run ends before SQS gives its message to another worker, heartbeat and all."""
    for consumer in all_consumers():
        if consumer.max_seconds >= LONGEST_VISIBILITY:
            yield Error(
                f"Consumer {consumer.name!r} may work on one message for {consumer.max_seconds} s, "
                f"but SQS hides a received one for {LONGEST_VISIBILITY} s at most, however often "
                "the heartbeat extends it: another worker would be given what is still worked on.",
                hint="Give it a smaller max_seconds, and cut its work into several events.",
                id="notifications.E066",
            )
    visibility = conf().visibility_seconds
    if visibility < SHORTEST_VISIBILITY:
        yield Warning(
            f'NOTIFICATIONS["VISIBILITY_SECONDS"] is {visibility}: a heartbeat that comes late '
            "once, and another worker is given what is still worked on.",
            hint=f"Give {SHORTEST_VISIBILITY} or more, or leave it out.",
            id="notifications.W067",
        )


def check_retries() -> Iterator[CheckMessage]:
    """Every retry comes before SQS forgets what it is about."""
    for queue in topology.declared_queues():
        consumer = next((each for each in all_consumers() if each.name == queue.consumer), None)
        task = current_app.tasks.get(consumer.task) if consumer else None
        if queue.role is Role.MAIN and consumer and isinstance(task, EventTask):
            policy = RetryPolicy.of(task)
            if policy.max_retries is not None:  # E011 says it
                yield from _of_policy(queue, consumer, policy)


def _of_policy(queue: Queue, consumer: Consumer, policy: RetryPolicy) -> Iterator[CheckMessage]:
    waits = retries.schedule(policy)
    longest = max((*waits, RETRY_AFTER_MAX))
    if queue.fifo and longest > LONGEST_VISIBILITY:
        yield Error(
            f"A retry of {consumer.task!r} waits up to {longest:g} s. Its queue is FIFO, where a "
            f"message waits in SQS, which hides it for {LONGEST_VISIBILITY} s at most.",
            hint=f"Declare the task with retry_backoff_max={LONGEST_VISIBILITY} or less.",
            id="notifications.E068",
        )
    in_sqs = sum(wait for wait in waits if queue.fifo or wait <= LONGEST_SLEEP)
    in_sqs += (len(waits) + 1) * consumer.max_seconds
    if in_sqs >= queue.retention:
        yield Error(
            f"The retries of {consumer.task!r} may last {in_sqs / DAY:.1f} days in SQS, which "
            f"forgets a message of {queue.physical} after {queue.retention / DAY:g}: it would be "
            "lost without a dead letter.",
            hint="Declare the task with fewer or shorter retries.",
            id="notifications.E069",
        )
