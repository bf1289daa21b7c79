"""SQS as the relay, the worker and the commands use it."""

from __future__ import annotations

from botocore.exceptions import ClientError

from notifications.aws.clients import client
from notifications.exceptions import NotProvisioned

MISSING = frozenset({"AWS.SimpleQueueService.NonExistentQueue", "QueueDoesNotExist"})

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


def _ask_for_url(physical: str) -> str:
    try:
        return str(client("sqs").get_queue_url(QueueName=physical)["QueueUrl"])
    except ClientError as error:
        if error.response["Error"]["Code"] in MISSING:
            raise NotProvisioned(
                f"queue {physical} does not exist: run `manage.py provision`"
            ) from None
        raise
