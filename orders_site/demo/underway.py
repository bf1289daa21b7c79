"""What SQS still holds for our consumers: messages that may yet become deliveries."""

from __future__ import annotations

from notifications import topology
from notifications.aws.clients import client
from notifications.aws.sqs import queue_url
from notifications.topology import Role

DEPTHS = [
    "ApproximateNumberOfMessages",
    "ApproximateNumberOfMessagesNotVisible",
    "ApproximateNumberOfMessagesDelayed",
]


def messages_under_way() -> int:
    """How many, in all queues but the dead-letter queues: nobody works on those."""
    return sum(
        _held(queue.physical)
        for queue in topology.current().queues
        if queue.role is not Role.DEAD_LETTERS
    )


def _held(physical: str) -> int:
    answer = client("sqs").get_queue_attributes(QueueUrl=queue_url(physical), AttributeNames=DEPTHS)
    return sum(int(depth) for depth in answer["Attributes"].values())
