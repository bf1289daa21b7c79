"""Dead-letter queues: each queue has one, and it keeps what comes to it for long enough."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from django.core.checks import CheckMessage, Error

from notifications import topology
from notifications.consumers import all_consumers
from notifications.topology import Queue, Role


def check_dead_letter_queues(queues: Iterable[Queue] | None = None) -> Iterator[CheckMessage]:
    """Of these queues, those of the topology by default: what is computed holds it, and this says
    so, whoever changes how it is computed."""
    queues = topology.declared_queues() if queues is None else tuple(queues)
    by_name = {queue.physical: queue for queue in queues}
    allowed = {consumer.name: consumer.max_retries for consumer in all_consumers()}
    for queue in queues:
        if queue.role not in (Role.MAIN, Role.BULK):  # no worker receives from the others
            continue
        redrive = queue.redrive
        grave = by_name.get(redrive.queue) if redrive else None
        if redrive is None or grave is None:
            yield Error(
                f"{queue.physical} has no dead-letter queue: what kills its worker comes again "
                "without end, and Celery deletes what fails (trap 9).",
                hint="Give the queue a Redrive to a queue of the same topology.",
                id="notifications.E070",
            )
            continue
        if grave.retention < queue.retention:
            yield Error(
                f"{grave.physical} keeps a message for {grave.retention} s, and {queue.physical} "
                f"for {queue.retention}. SQS counts from when it was first sent: what comes there "
                "late would be gone at once.",
                hint=f"Give the dead-letter queue a retention of {queue.retention} s.",
                id="notifications.E071",
            )
        if redrive.max_receive_count <= allowed.get(queue.consumer, 0):
            yield Error(
                f"SQS takes a message from {queue.physical} after {redrive.max_receive_count} "
                f"receives, and its task may retry {allowed[queue.consumer]} times: it would be a "
                "dead letter while it is still being retried (trap 10).",
                hint="Give the Redrive a max_receive_count well above max_retries.",
                id="notifications.E072",
            )
