"""SQS as the relay, the worker and the commands use it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError

from notifications.aws.batches import Entry, Outcome
from notifications.aws.clients import client
from notifications.exceptions import NotProvisioned

MISSING = frozenset({"AWS.SimpleQueueService.NonExistentQueue", "QueueDoesNotExist"})

SEND_TIMEOUT = 5.0
"""Seconds, in one try: the relay's own back-off is the retry, and it is written down."""

_DEPTHS = (
    "ApproximateNumberOfMessages",
    "ApproximateNumberOfMessagesNotVisible",
    "ApproximateNumberOfMessagesDelayed",
)
_urls: dict[str, str] = {}


@dataclass(frozen=True)
class Counts:
    """Messages on a queue: to be received, received and not settled, and not to be seen yet."""

    visible: int
    in_flight: int
    delayed: int

    @property
    def total(self) -> int:
        return self.visible + self.in_flight + self.delayed


def queue_url(physical: str, *, quickly: bool = False) -> str:
    """The URL of the queue of that physical name ("dev-email"), asked once per process.

    quickly: in one try of a few seconds, for who asks only to show something.
    Raises NotProvisioned when there is no such queue (not remembered: it may come).
    """
    url = _urls.get(physical)
    if url is None:
        url = _urls[physical] = _ask_for_url(physical, _client() if quickly else client("sqs"))
    return url


def forget() -> None:
    """Drop the known URLs: the queues behind them were made anew elsewhere."""
    _urls.clear()


def receive(queue: str, *, hidden_for: int) -> list[dict[str, Any]]:
    """Up to ten messages of the queue of that physical name, with all that SQS knows of them.

    It answers at once, with nothing if there is nothing. hidden_for: seconds. Raises botocore's
    errors.
    """
    answer = _client().receive_message(
        QueueUrl=queue_url(queue),
        MaxNumberOfMessages=10,
        WaitTimeSeconds=0,
        VisibilityTimeout=hidden_for,
        MessageSystemAttributeNames=["All"],
        MessageAttributeNames=["All"],
    )
    messages: list[dict[str, Any]] = answer.get("Messages", [])
    return messages


def delete(queue: str, handles: Sequence[str]) -> dict[str, str]:
    """Delete up to ten messages. Those that were not, by handle, with what went wrong.

    Raises botocore's errors for the whole call.
    """
    entries = [{"Id": str(at), "ReceiptHandle": handle} for at, handle in enumerate(handles)]
    answer = _client().delete_message_batch(QueueUrl=queue_url(queue), Entries=entries)
    gone = {handles[int(deleted["Id"])] for deleted in answer.get("Successful", ())}
    errors = {
        handles[int(failed["Id"])]: f"{failed['Code']}: {failed.get('Message', '')}"
        for failed in answer.get("Failed", ())
    }
    left = (handle for handle in handles if handle not in gone)
    return {handle: errors.get(handle, "the answer does not mention it") for handle in left}


def counts(queue: str) -> Counts:
    """What is on it, as SQS counts it: not to the message. Raises botocore's errors."""
    url = queue_url(queue, quickly=True)
    answer = _client().get_queue_attributes(QueueUrl=url, AttributeNames=_DEPTHS)
    return Counts(*(int(answer["Attributes"].get(name, 0)) for name in _DEPTHS))


def send_message_batch(queue: str, entries: Sequence[Entry]) -> Outcome:
    """Send to the queue of that physical name. Raises botocore's errors for the whole call."""
    answer = _client().send_message_batch(
        QueueUrl=queue_url(queue), Entries=[entry.request("MessageBody") for entry in entries]
    )
    return Outcome.of(entries, answer)


def _client() -> Any:
    return client("sqs", connect_timeout=5, read_timeout=SEND_TIMEOUT, total_max_attempts=1)


def _ask_for_url(physical: str, asked: Any) -> str:
    try:
        return str(asked.get_queue_url(QueueName=physical)["QueueUrl"])
    except ClientError as error:
        if error.response["Error"]["Code"] in MISSING:
            raise NotProvisioned(
                f"queue {physical} does not exist: run `manage.py provision`"
            ) from None
        raise
