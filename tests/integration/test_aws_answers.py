"""What is no answer of SNS's or SQS's is an error of AWS's all the same, by its HTTP status."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from notifications.aws import clients
from notifications.aws.clients import client
from notifications.aws.errors import AWS_ERRORS, code
from tests.partners import Open, in_turn

STRANGE = [b"null", b"[]", b"5", b'"no"', b"<p>no</p>", "Réseau".encode("latin-1"), b"[" * 100_000]
QUEUE = "http://127.0.0.1/000000000000/queue"
TOPIC = "arn:aws:sns:eu-central-1:000000000000:topic"


def publish() -> Any:
    entries = [{"Id": "1", "Message": "m"}]
    sns = client("sns", total_max_attempts=1)
    return sns.publish_batch(TopicArn=TOPIC, PublishBatchRequestEntries=entries)


def receive() -> Any:
    return client("sqs", total_max_attempts=1).receive_message(QueueUrl=QUEUE)


@pytest.fixture
def lead_to(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], None]]:
    """`lead_to(url)`: SNS and SQS are there for the test."""

    def lead_to(url: str) -> None:
        monkeypatch.setenv("AWS_ENDPOINT_URL", url)
        clients.forget()

    yield lead_to
    clients.forget()


@pytest.mark.parametrize("status", ["400", "403", "503"])
@pytest.mark.parametrize("call", [publish, receive])
def test_a_refusal_has_its_status_for_a_code(
    call: Callable[[], Any], status: str, lead_to: Callable[[str], None], partner: Open
) -> None:
    lead_to(partner(in_turn(f"{status} No", STRANGE)).url)

    for body in STRANGE:
        with pytest.raises(AWS_ERRORS) as caught:
            call()
        assert code(caught.value) == status, body[:80]


@pytest.mark.parametrize("call", [publish, receive])
def test_a_success_that_cannot_be_read_is_none(
    call: Callable[[], Any], lead_to: Callable[[str], None], partner: Open
) -> None:
    lead_to(partner(in_turn("200 OK", STRANGE)).url)

    for body in STRANGE:
        with pytest.raises(AWS_ERRORS) as caught:
            call()
        assert code(caught.value) == "UnreadableAnswer", body[:80]
