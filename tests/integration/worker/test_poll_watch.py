"""A receive that no read timeout ends: its queue is polled on, and what it brings goes back."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import pytest

from notifications.aws import clients
from notifications.aws.clients import client
from notifications.aws.sqs import queue_url
from notifications.local.faults import FaultClient, FaultProxy
from notifications.worker.counts import Counts
from notifications.worker.gate import Gate
from notifications.worker.poller import Poller
from notifications.worker.queues import PolledQueue, polled_queues
from notifications.worker.slots import Slots
from tests.waiting import wait_for

BODY = "it came late"
TRICKLE = 6.0  # seconds
PATIENCE = 2.0  # seconds beyond the long poll, instead of eighteen


class Brought:
    """What a poller handed over and gave back."""

    def __init__(self) -> None:
        self.taken: list[str] = []
        self.returned: list[str] = []

    def take(
        self,
        queue: PolledQueue,
        messages: list[dict[str, Any]],
        turns: Sequence[float] = (),
        probe: bool = False,
    ) -> None:
        self.taken += [message["Body"] for message in messages]

    def give_back(self, queue: PolledQueue, messages: list[dict[str, Any]]) -> None:
        self.returned += [message["Body"] for message in messages]


@pytest.fixture
def far_sqs(proxy: FaultProxy, monkeypatch: pytest.MonkeyPatch) -> Iterator[FaultClient]:
    """This process's SQS lies behind the fault proxy."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", proxy.environment["AWS_ENDPOINT_URL"])
    clients.forget()
    yield proxy.client
    clients.forget()


@pytest.fixture
def started() -> Iterator[list[Poller]]:
    pollers: list[Poller] = []
    yield pollers
    for poller in pollers:
        poller.close()
        poller.wait(TRICKLE + 2)


@pytest.mark.trap(2)
@pytest.mark.usefixtures("transactional_db", "aws")
def test_a_receive_that_trickles_for_ever_is_given_up_and_its_queue_polled_on(
    far_sqs: FaultClient, started: list[Poller], caplog: pytest.LogCaptureFixture
) -> None:
    queue = polled_queues("email")[0]
    slots = Slots(10, on_free=lambda: poller.advance())
    brought, counts = Brought(), Counts()
    gate = Gate(wait_seconds=1, on_missed=lambda: None)
    poller = Poller(slots, gate, brought.take, brought.give_back, counts, patience=PATIENCE)
    started.append(poller)
    client("sqs").send_message(QueueUrl=queue_url(queue.physical), MessageBody=BODY)
    far_sqs.fault("trickle", actions=["ReceiveMessage"], seconds=TRICKLE, times=1)
    poller.watch((queue,))
    wait_for(lambda: counts.snapshot().get("polls_given_up"), within=1 + PATIENCE + 2)
    wait_for(lambda: "a poll of test-email hung for" in caplog.text)
    assert poller.trouble in caplog.text

    client("sqs").send_message(QueueUrl=queue_url(queue.physical), MessageBody="in time")
    wait_for(lambda: brought.taken == ["in time"], within=3)
    wait_for(lambda: brought.returned == [BODY], within=TRICKLE)
    [report] = poller.report()
    assert report["under_way"] <= 1
    assert report["last_poll"] < TRICKLE
    wait_for(lambda: slots.used <= 2)  # those of one poll and of the message that was taken
