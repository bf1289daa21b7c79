"""Traps of receiving from SQS with Celery, by their numbers in docs/traps.md."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from notifications.aws.provision import provision
from notifications.conf import conf
from notifications.local.faults import FaultClient, FaultProxy
from notifications.local.processes import Process
from notifications.topology import compute
from tests.integration.worker.conftest import Probes
from tests.waiting import wait_for
from tests.worker_app.queues import CONSUMERS, EVENT_TYPES, crowd

Start = Callable[..., Process]


def receives(faults: FaultClient) -> int:
    """How many have been asked for."""
    return faults.requests().get("ReceiveMessage", 0)


@pytest.mark.trap(1)
def test_an_sqs_that_refuses_connections_is_asked_again_until_it_is_back(
    probes: Probes, far_worker: Start, proxy: FaultProxy
) -> None:
    # What the emulator still gave to the polls that were cut off comes again after this.
    worker = far_worker(PROBE_VISIBILITY_SECONDS="2")
    assert probes.are_served()
    proxy.stop()
    wait_for(lambda: "Cannot receive from test-probe" in worker.log)
    proxy.start()
    assert probes.are_served()
    assert worker.alive


@pytest.mark.trap(2)
def test_a_connection_that_went_silent_is_given_up_and_the_queue_polled_on_another(
    probes: Probes, far_worker: Start, faults: FaultClient
) -> None:
    faults.fault("hang", actions=["ReceiveMessage"], containing='test-probe"', times=1)
    worker = far_worker(PROBE_ANSWER_SECONDS="3")
    wait_for(lambda: faults.struck().get("hang"), within=5)
    assert probes.are_served(within=20)
    assert worker.alive


@pytest.mark.trap(16)
def test_forty_quick_tasks_wait_for_no_polling_interval(
    probes: Probes, threads_worker: Start
) -> None:
    """Celery's own take 6.6 s, waiting a second whenever as many are held as may be."""
    probes.send_many(["succeed"] * 40)
    threads_worker(concurrency=2)
    wait_for(lambda: len(probes.runs()) == 40)
    assert max(probes.moments()) - min(probes.moments()) < 2


@pytest.mark.trap(18)
def test_more_than_ten_queues_are_polled_side_by_side(
    probes: Probes, far_worker: Start, faults: FaultClient
) -> None:
    many = crowd(12)
    provision(compute(conf().prefix, frozenset(), (*CONSUMERS, *many), EVENT_TYPES))
    names = [consumer.name for consumer in many]
    far_worker(*names, PROBE_CROWD="12", SQS_WAIT_SECONDS="15")
    wait_for(lambda: receives(faults) >= 12, within=5, what="twelve polls of 15 s to be open")
    for name in names:
        assert probes.are_served(name, within=5)


@pytest.mark.trap(19)
def test_a_busy_queue_has_several_receives_under_way(
    probes: Probes, far_worker: Start, faults: FaultClient
) -> None:
    probes.send_many(["succeed"] * 60, queue="other")
    faults.fault("slow", actions=["ReceiveMessage"], seconds=3.0)
    far_worker("other", concurrency=32)
    wait_for(lambda: receives(faults) > 1, within=8, what="the first answer, a full one")
    wait_for(lambda: receives(faults) >= 4, within=2, what="three receives of 3 s at once")
