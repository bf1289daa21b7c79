"""The limit: what boto3 alone can do, in one process. `python limit.py QUEUE RECEIVERS DELETERS`

Each receiver takes ten messages at a time; with no deleters it deletes them itself,
otherwise it leaves that to them and receives again. Nothing else is done.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import boto3
from botocore.config import Config


def main(queue: str, receivers: int, deleters: int) -> None:
    """Until it is ended."""
    sqs = boto3.client("sqs", config=Config(max_pool_connections=receivers + deleters))

    def delete(messages: list[dict[str, Any]]) -> None:
        entries = [
            {"Id": str(number), "ReceiptHandle": message["ReceiptHandle"]}
            for number, message in enumerate(messages)
        ]
        sqs.delete_message_batch(QueueUrl=queue, Entries=entries)

    def receive(settle: Callable[[list[dict[str, Any]]], object]) -> None:
        while True:
            answer = sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10, WaitTimeSeconds=20)
            if messages := answer.get("Messages"):
                settle(messages)

    with ThreadPoolExecutor(receivers) as front, ThreadPoolExecutor(deleters or 1) as back:
        settle = (lambda messages: back.submit(delete, messages)) if deleters else delete
        loops = [front.submit(receive, settle) for _ in range(receivers)]
        for loop in loops:
            loop.result()


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
