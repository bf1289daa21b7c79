"""What stands on a queue, as a test sees it."""

from __future__ import annotations

from typing import Any

from notifications import topology
from notifications.aws.clients import client
from notifications.aws.sqs import queue_url

Received = dict[str, Any]


def depth(name: str) -> int:
    """Messages on the consumer's queue of that name (no prefix), hidden ones included."""
    counts = client("sqs").get_queue_attributes(
        QueueUrl=queue_url(topology.current().queue(name).physical),
        AttributeNames=[
            "ApproximateNumberOfMessages",
            "ApproximateNumberOfMessagesNotVisible",
            "ApproximateNumberOfMessagesDelayed",
        ],
    )["Attributes"]
    return sum(map(int, counts.values()))


def take_all(name: str) -> list[Received]:
    """Everything that is visible on the queue now, received and deleted, in its order."""
    sqs, url = client("sqs"), queue_url(topology.current().queue(name).physical)
    taken: list[Received] = []
    while messages := sqs.receive_message(
        QueueUrl=url,
        MaxNumberOfMessages=10,
        WaitTimeSeconds=0,
        MessageAttributeNames=["All"],
        MessageSystemAttributeNames=["All"],
    ).get("Messages"):
        taken += messages
        for message in messages:
            sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
    return taken
