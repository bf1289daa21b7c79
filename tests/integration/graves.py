"""Dead letters in SQS as a test puts them there, and what has become of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from notifications import dead_letters, topology
from notifications.aws.clients import client
from notifications.aws.sqs import queue_url
from notifications.dead_letters import Failure, Letter
from notifications.exceptions import PermanentError
from notifications.models import DeadLetter

FIRST_SEEN = datetime(2026, 11, 20, 8, 30, tzinfo=UTC)


def a_letter(body: str = "hello", **given: Any) -> Letter:
    """One that a worker of `email` gave up on at the ninth attempt."""
    error = PermanentError("no such mailbox", code="invalid_address")
    return Letter(
        **{
            "queue": "email",
            "dead_letters": "test-email-dlq",
            "message_id": "message-1",
            "body": body,
            "failure": Failure.of(error, attempts=9),
            "first_seen": FIRST_SEEN,
            **given,
        }
    )


def bury(*letters: Letter) -> None:
    """Into their dead-letter queues, as a worker does."""
    for letter in letters:
        attributes = dead_letters.sqs_attributes(letter)
        send(letter.body, to=letter.dead_letters, attributes=attributes)


def bury_many(bodies: Iterable[str]) -> None:
    for number, body in enumerate(bodies):
        bury(a_letter(body, message_id=f"message-{number}"))


def send(body: str, *, to: str = "test-email-dlq", attributes: Mapping[str, Any] = {}) -> str:
    """To the queue of that physical name; its message id."""
    answer = client("sqs").send_message(
        QueueUrl=queue_url(to), MessageBody=body, MessageAttributes=attributes
    )
    return str(answer["MessageId"])


def kept() -> list[bytes]:
    """The bodies of all rows, in the order in which they were kept."""
    return [
        bytes(body) for body in DeadLetter.objects.order_by("id").values_list("body", flat=True)
    ]


def grave(consumer: str = "email") -> topology.Queue:
    return topology.current().dead_letter_queue(consumer)
