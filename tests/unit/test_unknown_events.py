"""What a worker remembers of events that it does not know."""

from __future__ import annotations

import logging

import pytest

from notifications.exceptions import UnknownEvent
from notifications.worker.queues import PolledQueue
from notifications.worker.received import Received
from notifications.worker.unknown_events import MOST_SAID, UnknownEvents

QUEUE = PolledQueue("probe", "test-probe", "probe", "probe.run", "test-probe-dlq", 60)


def test_it_says_each_type_once_and_remembers_no_more_than_it_can_hold(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.WARNING, "notifications")
    unknown = UnknownEvents(1800.0)
    message = Received.of(QUEUE, {"MessageId": "m", "ReceiptHandle": "h", "Body": "{}"})

    for name in ["first"] * 3 + [f"invented.{number}" for number in range(MOST_SAID)] + ["first"]:
        unknown.wait(message, UnknownEvent(name))

    said = [record.getMessage() for record in caplog.records]
    assert len(said) == MOST_SAID + 2
    assert [index for index, text in enumerate(said) if ": first;" in text] == [0, MOST_SAID + 1]
