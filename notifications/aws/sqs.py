"""SQS as the relay, the worker and the commands use it."""

from __future__ import annotations

from collections.abc import Sequence

from botocore.exceptions import ClientError

from notifications.aws.batches import Entry, Outcome
from notifications.aws.clients import client
from notifications.exceptions import NotProvisioned

MISSING = frozenset({"AWS.SimpleQueueService.NonExistentQueue", "QueueDoesNotExist"})

SEND_TIMEOUT = 5.0
"""Seconds, in one try: the relay's own back-off is the retry, and it is written down."""

_urls: dict[str, str] = {}


def queue_url(physical: str) -> str:
    """The URL of the queue of that physical name ("dev-email"), asked once per process.

    Raises NotProvisioned when there is no such queue (not remembered: it may come).
    """
    url = _urls.get(physical)
    if url is None:
        url = _urls[physical] = _ask_for_url(physical)
    return url


def forget() -> None:
    """Drop the known URLs: the queues behind them were made anew elsewhere."""
    _urls.clear()


def send_message_batch(queue: str, entries: Sequence[Entry]) -> Outcome:
    """Send to the queue of that physical name. Raises botocore's errors for the whole call."""
    sqs = client("sqs", connect_timeout=5, read_timeout=SEND_TIMEOUT, total_max_attempts=1)
    answer = sqs.send_message_batch(
        QueueUrl=queue_url(queue), Entries=[entry.request("MessageBody") for entry in entries]
    )
    return Outcome.of(entries, answer)


def _ask_for_url(physical: str) -> str:
    try:
        return str(client("sqs").get_queue_url(QueueName=physical)["QueueUrl"])
    except ClientError as error:
        if error.response["Error"]["Code"] in MISSING:
            raise NotProvisioned(
                f"queue {physical} does not exist: run `manage.py provision`"
            ) from None
        raise
