"""What SQS still holds for our consumers: messages that may yet become deliveries."""

from __future__ import annotations

from collections.abc import Collection

from notifications import topology
from notifications.aws.clients import client
from notifications.aws.sqs import queue_url

DEPTHS = [
    "ApproximateNumberOfMessages",
    "ApproximateNumberOfMessagesNotVisible",
    "ApproximateNumberOfMessagesDelayed",
]


def messages_under_way(*, without: Collection[str] = ()) -> int:
    """How many, in all queues but those of some consumers and the dead-letter queues: nobody works
    on those."""
    return sum(
        _held(queue.physical)
        for queue in topology.current().queues
        if not queue.role.is_grave and queue.consumer not in without
    )


def _held(physical: str) -> int:
    answer = client("sqs").get_queue_attributes(QueueUrl=queue_url(physical), AttributeNames=DEPTHS)
    return sum(int(depth) for depth in answer["Attributes"].values())
