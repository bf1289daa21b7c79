"""A message stays hidden for as long as its task may take, and no longer."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from notifications import topology
from notifications.aws import clients
from notifications.aws.clients import client
from notifications.aws.sqs import queue_url
from notifications.local.faults import FaultClient, FaultProxy
from notifications.local.processes import Process
from notifications.worker.consumption import Consumption
from notifications.worker.received import Received
from tests.integration.worker.conftest import Probes
from tests.waiting import wait_for

Start = Callable[..., Process]
VISIBILITY = 4
FLAT = '{"event_type":"order.created","order_id":7,"timestamp":"2026-11-27T06:00:00Z"}'


@pytest.mark.S1
@pytest.mark.trap(5)
def test_a_task_longer_than_the_visibility_runs_once_and_what_waits_behind_it_too(
    probes: Probes, threads_worker: Start
) -> None:
    long = probes.send("sleep", seconds=3.5 * VISIBILITY)
    worker = threads_worker(
        concurrency=1, PROBE_VISIBILITY_SECONDS=str(VISIBILITY), PROBE_MAX_SECONDS="60"
    )
    wait_for(lambda: probes.runs(long))
    probes.send_many(["succeed"] * 3)
    wait_for(lambda: probes.counts() == (0, 4), what="three messages to wait in the worker")
    wait_for(lambda: probes.counts() == (3, 1), what="them to be given back")
    wait_for(probes.is_empty, within=4 * VISIBILITY + 5)
    assert sorted(line.split()[1] for line in probes.runs()) == sorted(
        str(number) for number in range(long, long + 4)
    )
    worker.terminate()
    assert worker.wait(within=30) == 0
    assert "extend_expired" not in worker.log


class Held:
    """What a consumption of the mail queue in this process holds."""

    def __init__(self) -> None:
        self.messages: list[Received] = []
        self.consumption = Consumption(self.messages.extend, wait_seconds=1, receives=1)

    def one(self) -> Received:
        """It holds a message that was sent just now."""
        client("sqs").send_message(QueueUrl=self.url, MessageBody=FLAT)
        self.consumption.watch("email")
        wait_for(lambda: self.messages)
        return self.messages[0]

    def counted(self, name: str) -> int:
        return int(self.consumption.report()["counts"].get(name, 0))

    @property
    def url(self) -> str:
        return queue_url(topology.current().queue("email").physical)


@pytest.fixture
def held(
    transactional_db: None,
    aws: None,
    proxy: FaultProxy,
    settings: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Held]:
    """Behind the fault proxy, and hidden for VISIBILITY seconds only."""
    settings.NOTIFICATIONS = settings.NOTIFICATIONS | {"VISIBILITY_SECONDS": VISIBILITY}
    for name, value in proxy.environment.items():
        monkeypatch.setenv(name, value)
    clients.forget()
    held = Held()
    yield held
    held.consumption.close(patient=True)
    monkeypatch.undo()
    clients.forget()


def received_again(held: Held, within: float) -> dict[str, Any]:
    """The message, by another receiver."""

    def receive() -> list[dict[str, Any]]:
        answer = client("sqs").receive_message(QueueUrl=held.url, VisibilityTimeout=60)
        return answer.get("Messages", [])  # type: ignore[no-any-return]

    [message] = wait_for(receive, within=within, what="the message to be visible")
    return message


@pytest.mark.trap(11)
@pytest.mark.parametrize("started", [True, False])
def test_a_message_that_somebody_else_holds_is_left_to_them(
    held: Held, faults: FaultClient, caplog: pytest.LogCaptureFixture, started: bool
) -> None:
    faults.fault("error", actions=["ChangeMessageVisibilityBatch"])
    received = held.one()
    if started:
        assert held.consumption.start(received.handle)
    held.consumption._poller.pause()
    received_again(held, within=2 * VISIBILITY)
    faults.clear()
    wait_for(lambda: "is not ours any more" in caplog.text)
    if not started:
        assert not held.consumption.start(received.handle), "two would run it"
    assert caplog.text.count("is not ours any more") == 1
    assert caplog.text.count("Could not keep messages") == 1
    assert held.counted("extend_expired") == 1, "and is asked for no more"


@pytest.mark.parametrize("decision", ["retry", "done"])
def test_what_is_decided_during_an_extension_comes_after_it(
    held: Held, faults: FaultClient, decision: str
) -> None:
    """An extension that SQS hears last would undo the back-off: the message would be late."""
    faults.fault("slow", actions=["ChangeMessageVisibilityBatch"], times=1, seconds=0.5)
    received = held.one()
    assert held.consumption.start(received.handle)
    held.consumption._poller.pause()
    wait_for(lambda: received.extending, within=VISIBILITY)
    if decision == "retry":
        held.consumption.retry(received.handle, 0)
        received_again(held, within=VISIBILITY - 0.5)
    else:
        held.consumption.done(received.handle)
        wait_for(lambda: held.counted("delete_done"))
    wait_for(lambda: held.counted("extend_done"))


def test_past_its_maximum_a_task_s_message_is_extended_no_more(
    held: Held, caplog: pytest.LogCaptureFixture
) -> None:
    received = held.one()
    assert held.consumption.start(received.handle)
    held.consumption._poller.pause()
    received.started_at = time.monotonic() - received.queue.max_seconds + 2
    again = received_again(held, within=2 + VISIBILITY + 1)
    assert again["MessageId"] == received.message_id
    [event] = {each.event.id for each in held.messages if each.event}
    assert f"notifications.email of consumer email is at event {event} for longer" in caplog.text
    assert held.counted("overdue") == 1


def test_a_task_that_ends_late_still_takes_its_message_along(held: Held) -> None:
    received = held.one()
    assert held.consumption.start(received.handle)
    held.consumption._poller.pause()
    received.started_at = time.monotonic() - received.queue.max_seconds
    wait_for(lambda: received.overdue)
    held.consumption.done(received.handle)
    wait_for(lambda: held.counted("delete_done"))
