"""What the tests of the fault proxy ask of SQS."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config

from notifications.local.faults import FaultProxy

SHARED = Path(__file__).resolve().parents[3] / ".local"


def connect(service: str, proxy: FaultProxy) -> Any:
    """A client that tries once and waits a second."""
    return boto3.client(
        service,
        endpoint_url=proxy.url,
        region_name="us-east-1",
        aws_access_key_id="local",
        aws_secret_access_key="local",
        config=Config(retries={"total_max_attempts": 1}, read_timeout=1, max_pool_connections=20),
    )


def send(sqs: Any, queue: str, *ids: str) -> dict[str, Any]:
    entries = [{"Id": name, "MessageBody": f"body of {name}"} for name in ids]
    answer: dict[str, Any] = sqs.send_message_batch(QueueUrl=queue, Entries=entries)
    return answer


def bodies(sqs: Any, queue: str) -> set[str]:
    """What the queue holds, shown to us until nothing more comes."""
    bodies: set[str] = set()
    while messages := sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10).get("Messages"):
        bodies |= {message["Body"] for message in messages}
    return bodies


def depth(sqs: Any, queue: str) -> int:
    """Messages that are visible on the queue."""
    name = "ApproximateNumberOfMessages"
    answer = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=[name])
    return int(answer["Attributes"][name])


def ids(entries: list[dict[str, Any]]) -> set[str]:
    return {entry["Id"] for entry in entries}
