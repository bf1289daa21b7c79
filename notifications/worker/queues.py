"""The queues a worker polls, as the topology names them."""

from __future__ import annotations

from dataclasses import dataclass

from notifications import consumers, topology


@dataclass(frozen=True, slots=True)
class PolledQueue:
    """One queue in SQS and what its messages are for.

    name: without the environment's prefix ("email", "email-bulk"); physical: in SQS.
    dead_letters: the physical name of its dead-letter queue.
    visibility_timeout: seconds; asked for on every receive, as the queue's own may have drifted.
    max_seconds: the consumer's maximum processing time of one message.
    """

    name: str
    physical: str
    consumer: str
    task: str
    dead_letters: str
    visibility_timeout: int
    bulk: bool = False
    fifo: bool = False
    max_seconds: int = 30


def polled_queues(consumer_name: str) -> tuple[PolledQueue, ...]:
    """The consumer's queue and, behind it, its bulk queue if it has one."""
    consumer = consumers.get(consumer_name)
    declared = topology.current()
    dead_letters = declared.dead_letter_queue(consumer_name).physical

    def polled(queue: topology.Queue) -> PolledQueue:
        return PolledQueue(
            name=queue.name,
            physical=queue.physical,
            consumer=consumer.name,
            task=consumer.task,
            dead_letters=dead_letters,
            visibility_timeout=queue.visibility_timeout,
            bulk=queue.role is topology.Role.BULK,
            fifo=queue.fifo,
            max_seconds=consumer.max_seconds,
        )

    first, bulk = declared.queue(consumer_name), declared.bulk_queue(consumer_name)
    return (polled(first),) if bulk == first else (polled(first), polled(bulk))
