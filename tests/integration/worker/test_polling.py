"""Which queue is received from, and how much is held."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from notifications.aws.provision import provision
from notifications.conf import conf
from notifications.local.faults import FaultClient
from notifications.local.processes import Process
from notifications.topology import compute
from tests.integration.worker.conftest import Probes
from tests.waiting import wait_for
from tests.worker_app.queues import CONSUMERS, EVENT_TYPES, crowd

Start = Callable[..., Process]

AT_FIRST = 10 + 2
"""One batch in hand, and what two threads have finished but SQS has not deleted yet."""


def test_replays_on_the_bulk_queue_wait_while_the_first_queue_is_busy(
    probes: Probes, threads_worker: Start
) -> None:
    fresh = probes.send_many(["sleep"] * 40, seconds=0.05)
    replays = probes.send_many(["sleep"] * 20, queue="probe-bulk", seconds=0.05)
    threads_worker(concurrency=2)
    wait_for(lambda: len(probes.runs()) == 60, within=20)
    order = [int(line.split()[1]) for line in probes.runs()]
    before_the_last_fresh = order[: order.index(max(fresh, key=order.index))]
    early = [number for number in before_the_last_fresh if number in replays]
    assert len(early) <= 10, "what came while the first queue gave less than it was asked for"


@pytest.mark.S3
def test_a_worker_holds_little_more_than_its_pool_can_start(
    probes: Probes, threads_worker: Start
) -> None:
    probes.send_many(["sleep"] * 40, seconds=1.0)
    threads_worker(concurrency=2)
    wait_for(lambda: len(probes.runs()) >= 2)
    assert probes.counts()[1] <= AT_FIRST


@pytest.mark.trap(15)
def test_two_queues_share_what_may_be_held(probes: Probes, threads_worker: Start) -> None:
    probes.send_many(["sleep"] * 20, seconds=1.0)
    probes.send_many(["sleep"] * 20, queue="other", seconds=1.0)
    threads_worker("probe", "other", concurrency=2)
    wait_for(lambda: {line.split()[0] for line in probes.runs()} == {"probe.run", "probe.other"})
    assert probes.counts()[1] + probes.counts("other")[1] <= AT_FIRST


def test_an_idle_queue_is_one_long_poll(probes: Probes, threads_worker: Start) -> None:
    worker = threads_worker(SQS_WAIT_SECONDS="5")
    probes.send("succeed")
    wait_for(probes.is_empty)
    number = probes.send("succeed")
    wait_for(lambda: probes.runs(number), within=2, what="a message that a long poll waits for")
    assert worker.alive


def test_a_busy_queue_does_not_wait_for_the_long_polls_of_those_beside_it(
    probes: Probes, far_worker: Start, faults: FaultClient
) -> None:
    """Ten queues, of which nine are idle, and a pool that alone would hold ten messages."""
    many = crowd(4, bulk=True)
    provision(compute(conf().prefix, frozenset(), (*CONSUMERS, *many), EVENT_TYPES))
    crowded = {"PROBE_CROWD": "4", "PROBE_CROWD_BULK": "1", "SQS_WAIT_SECONDS": "15"}
    far_worker("probe", *(consumer.name for consumer in many), concurrency=1, **crowded)
    wait_for(lambda: faults.requests().get("ReceiveMessage", 0) >= 10, within=5)
    probes.send_many(["succeed"] * 40)
    wait_for(lambda: len(probes.runs()) == 40, within=8)


@pytest.mark.S1
def test_messages_are_received_ten_at_a_time(
    probes: Probes, far_worker: Start, faults: FaultClient
) -> None:
    probes.send_many(["succeed"] * 100, queue="other")

    far_worker("other", concurrency=32)

    wait_for(lambda: len(probes.runs()) == 100, within=60, what="all to be run")
    assert faults.requests()["ReceiveMessage"] < 50, "one by one it would be a hundred"
