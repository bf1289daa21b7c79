"""What the worker asks of SQS, each one call of boto3. Never called on the event loop."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError
from botocore.parsers import ResponseParserError
from urllib3.exceptions import HTTPError

from notifications.aws import sqs
from notifications.aws.clients import CONNECT_TIMEOUT, client
from notifications.exceptions import NotProvisioned
from notifications.worker.queues import PolledQueue
from notifications.worker.received import Received

BATCH = 10
"""Messages per call, the most that SQS allows."""

CONNECT_SECONDS, ANSWER_SECONDS = CONNECT_TIMEOUT, 10.0
"""The timeouts of a receive: to connect, and of silence beyond its long poll."""

LONGEST_WAIT = 20
"""Seconds of a long poll, the most that SQS allows."""

SYSTEM_ATTRIBUTES = [
    "ApproximateReceiveCount",
    "ApproximateFirstReceiveTimestamp",
    "SentTimestamp",
    "MessageGroupId",
]

FAILURES = (
    BotoCoreError,
    ClientError,
    HTTPError,
    NotProvisioned,
    OSError,
    ResponseParserError,
    RuntimeError,
    ValueError,
)
"""What a call may raise, a garbled answer included; a RuntimeError of credentials that have ended
already when botocore is given them. None of it ends consumption."""

_EXPIRED = frozenset(
    {
        "ReceiptHandleIsInvalid",
        "InvalidParameterValue",
        "MessageNotInflight",
        "AWS.SimpleQueueService.MessageNotInflight",  # its name in the query protocol
    }
)
_THROTTLED = frozenset({"ThrottlingException", "Throttling", "RequestThrottled", "SlowDown"})


class Answer(Enum):
    """What became of one entry of a batch."""

    DONE = "done"
    EXPIRED = "expired"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Change:
    """One message to be deleted (`seconds` is None) or hidden for so many seconds more."""

    received: Received
    seconds: int | None = None


def prepare() -> None:
    """Make the clients of short polls and settlements: they are needed amid the first messages."""
    _short()
    _receiver(0)


def receive(queue: PolledQueue, most: int, wait: int) -> list[dict[str, Any]]:
    """Up to `most` messages, waiting `wait` seconds for the first. Raises FAILURES."""
    answer = _receiver(wait).receive_message(
        QueueUrl=sqs.queue_url(queue.physical),
        MaxNumberOfMessages=most,
        WaitTimeSeconds=wait,
        VisibilityTimeout=queue.visibility_timeout,
        MessageSystemAttributeNames=SYSTEM_ATTRIBUTES,
        MessageAttributeNames=["All"],
    )
    messages: list[dict[str, Any]] = answer.get("Messages", [])
    return messages


def delete(physical: str, changes: Sequence[Change]) -> list[Answer]:
    """Delete up to ten messages; one answer for each, in order. Raises FAILURES."""
    entries = [
        {"Id": str(number), "ReceiptHandle": change.received.handle}
        for number, change in enumerate(changes)
    ]
    return _answers(_short().delete_message_batch(**_batch(physical, entries)), changes)


def hide(physical: str, changes: Sequence[Change]) -> list[Answer]:
    """Change the visibility of up to ten messages; one answer for each. Raises FAILURES."""
    entries = [
        {
            "Id": str(number),
            "ReceiptHandle": change.received.handle,
            "VisibilityTimeout": change.seconds,
        }
        for number, change in enumerate(changes)
    ]
    return _answers(_short().change_message_visibility_batch(**_batch(physical, entries)), changes)


def send(physical: str, body: str, attributes: Mapping[str, Any], *, group: str, key: str) -> None:
    """Send one message; `group` and `key` are used by a FIFO queue only. Raises FAILURES."""
    fifo = {"MessageGroupId": group or key, "MessageDeduplicationId": key}
    _short().send_message(
        QueueUrl=sqs.queue_url(physical),
        MessageBody=body,
        MessageAttributes=attributes,
        **(fifo if physical.endswith(".fifo") else {}),
    )


def is_refusal(error: Exception) -> bool:
    """Whether SQS has understood the call and will never take it, however often it is asked."""
    if isinstance(error, NotProvisioned):
        return True
    if not isinstance(error, ClientError):
        return False
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 500)
    return 400 <= status < 500 and status != 429 and _code(error) not in _THROTTLED


def describe(error: Exception) -> str:
    """An error in a log line: its class, and SQS's code or our own words."""
    if isinstance(error, ClientError):
        return f"{type(error).__name__} {_code(error)}"
    return f"{type(error).__name__}: {error}"


def _receiver(wait: int) -> Any:
    return client("sqs", read_timeout=wait + ANSWER_SECONDS, total_max_attempts=1)


def _short() -> Any:
    return client("sqs", read_timeout=5, total_max_attempts=1)


def _batch(physical: str, entries: list[dict[str, Any]]) -> dict[str, Any]:
    return {"QueueUrl": sqs.queue_url(physical), "Entries": entries}


def _answers(answer: Mapping[str, Any], changes: Sequence[Change]) -> list[Answer]:
    result = [Answer.FAILED] * len(changes)  # an entry that the answer leaves out was not done
    for entry in answer.get("Successful", []):
        result[int(entry["Id"])] = Answer.DONE
    for entry in answer.get("Failed", []):
        if entry.get("Code") in _EXPIRED:
            result[int(entry["Id"])] = Answer.EXPIRED
    return result


def _code(error: ClientError) -> str:
    return str(error.response.get("Error", {}).get("Code", ""))
