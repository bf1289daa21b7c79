"""SIGTERM: what runs is finished, what is decided is flushed, the rest is given back at once."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable

from notifications.local.processes import Process
from tests.integration.worker.conftest import Probes
from tests.waiting import wait_for

Start = Callable[..., Process]


def test_what_runs_is_finished_and_what_waits_is_visible_at_once(
    probes: Probes, probe_worker: Start
) -> None:
    probes.send_many(["sleep"] * 10, seconds=3.0)
    worker = probe_worker(concurrency=2)
    wait_for(lambda: len(probes.runs()) == 2)
    wait_for(lambda: probes.counts()[1] >= 4, what="messages to be prefetched")
    worker.terminate()
    signalled = time.monotonic()
    wait_for(lambda: probes.counts() == (8, 2), within=2.5, what="the prefetched to be visible")
    assert worker.wait(within=15) == 0
    assert time.monotonic() - signalled < 8
    assert len(probes.runs()) == 2
    assert probes.counts() == (8, 0)


def test_an_acknowledgement_still_collected_is_flushed(probes: Probes, probe_worker: Start) -> None:
    probes.send_many(["sleep"] * 2, seconds=1.0)
    worker = probe_worker(concurrency=2)
    wait_for(lambda: len(probes.runs()) == 2)
    worker.terminate()
    assert worker.wait(within=15) == 0
    assert probes.is_empty()


def test_a_message_that_comes_with_the_last_poll_is_given_back(
    probes: Probes, threads_worker: Start
) -> None:
    worker = threads_worker(SQS_WAIT_SECONDS="3")
    probes.send("succeed")
    wait_for(probes.is_empty)
    worker.terminate()
    wait_for(lambda: "Waiting for open polls" in worker.log)
    probes.send("succeed")
    assert worker.wait(within=10) == 0
    assert len(probes.runs()) == 1
    assert probes.counts() == (1, 0)


def test_sigquit_does_not_wait_for_polls(probes: Probes, threads_worker: Start) -> None:
    worker = threads_worker(SQS_WAIT_SECONDS="20")
    probes.send("succeed")
    wait_for(probes.is_empty)
    os.kill(worker.pid, signal.SIGQUIT)
    assert worker.wait(within=5) is not None
