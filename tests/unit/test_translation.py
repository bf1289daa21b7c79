"""A message of SQS, as Celery is given it."""

from __future__ import annotations

import pytest

from notifications.worker import translation
from notifications.worker.queues import polled_queues
from notifications.worker.received import Received
from tests.integration.letters import letter


@pytest.mark.trap(7)
@pytest.mark.parametrize(("receives", "redelivered"), [(1, False), (2, True)])
def test_a_message_received_again_is_marked_as_redelivered(
    receives: int, redelivered: bool
) -> None:
    message = translation.task_message(received(receives), letter())
    assert message["properties"]["delivery_info"]["redelivered"] is redelivered


def test_the_task_is_the_queue_s_whatever_the_body_says() -> None:
    message = translation.task_message(received(1), letter())
    assert message["headers"]["task"] == "notifications.email"


def received(receives: int) -> Received:
    return Received.of(
        polled_queues("email")[0],
        {
            "MessageId": "m",
            "ReceiptHandle": "h",
            "Body": '{"task": "os.system"}',
            "Attributes": {"ApproximateReceiveCount": str(receives)},
        },
    )
