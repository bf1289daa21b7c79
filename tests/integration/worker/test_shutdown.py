"""SIGTERM: what runs is finished, what is decided is flushed, the rest is given back at once."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable

import pytest

from notifications.local.processes import Process
from tests.integration.worker.conftest import Probes
from tests.process_table import descendants
from tests.waiting import wait_for

Start = Callable[..., Process]


@pytest.mark.trap(22)
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
    assert worker.wait(within=30) == 0
    assert time.monotonic() - signalled < 8
    assert len(probes.runs()) == 2
    assert probes.counts() == (8, 0), "the two were deleted, by acknowledgements still collected"


def test_a_message_that_comes_with_the_last_poll_is_given_back(
    probes: Probes, threads_worker: Start
) -> None:
    worker = threads_worker(SQS_WAIT_SECONDS="3")
    probes.send("succeed")
    wait_for(probes.is_empty)
    worker.terminate()
    wait_for(lambda: "Waiting for open polls" in worker.log)
    probes.send("succeed")
    assert worker.wait(within=30) == 0
    assert len(probes.runs()) == 1
    assert probes.counts() == (1, 0)


def test_sigquit_does_not_wait_for_polls(probes: Probes, threads_worker: Start) -> None:
    worker = threads_worker(SQS_WAIT_SECONDS="20")
    probes.send("succeed")
    wait_for(probes.is_empty)
    os.kill(worker.pid, signal.SIGQUIT)
    assert worker.wait(within=5) is not None


def test_sigquit_lets_a_thread_finish_which_nobody_can_kill(
    probes: Probes, threads_worker: Start
) -> None:
    worker = threads_worker(concurrency=2, SQS_WAIT_SECONDS="20")
    probes.send_many(["sleep and tell"] * 6, seconds=3.0)
    wait_for(lambda: len(probes.runs()) == 2)
    os.kill(worker.pid, signal.SIGQUIT)
    assert worker.wait(within=8) == 0
    assert "Traceback" not in worker.log
    assert [line.split()[0] for line in probes.runs()] == ["probe.run"] * 2 + ["done"] * 2
    assert probes.counts() == (4, 0), "the two are deleted, and the others given back"


@pytest.mark.trap(22)
def test_a_task_longer_than_the_visibility_is_finished_and_nothing_is_left_invisible(
    probes: Probes, threads_worker: Start
) -> None:
    impatient = {"PROBE_VISIBILITY_SECONDS": "3", "PROBE_MAX_SECONDS": "60"}
    long = probes.send("sleep", seconds=7.0)
    worker = threads_worker(concurrency=2, **impatient)
    wait_for(lambda: probes.runs(long))
    probes.send_many(["sleep"] * 12, seconds=0.3)
    wait_for(lambda: len(probes.runs()) >= 3)
    worker.terminate()
    assert worker.wait(within=20) == 0
    visible, in_flight = probes.counts()
    assert in_flight == 0
    assert visible == 13 - len(probes.runs()), "what was run is gone, the rest is there at once"
    threads_worker(concurrency=2, **impatient)
    wait_for(probes.is_empty)
    ran = [line.split()[1] for line in probes.runs()]
    assert (len(ran), len(set(ran))) == (13, 13), "each exactly once"


def test_a_child_that_is_killed_during_a_stop_is_not_waited_for_and_its_message_comes_again(
    probes: Probes, worker: Start
) -> None:
    stopping = worker("probe", pool="prefork", concurrency=2, PROBE_MAX_SECONDS="60")
    [killed, done] = probes.send_many(["sleep and tell"] * 2, seconds=4.0)
    wait_for(lambda: len(probes.runs()) == 2)
    stopping.terminate()
    wait_for(lambda: "Warm shutdown" in stopping.log)
    os.kill(int(probes.runs(killed)[0].split()[3]), signal.SIGKILL)
    assert stopping.wait(within=20) == 0
    wait_for(lambda: probes.counts() == (1, 0), within=5)
    assert [len(probes.runs(number)) for number in (killed, done)] == [1, 2]


def test_a_stop_ends_though_each_child_has_done_all_the_tasks_it_may(
    probes: Probes, start: Callable[..., Process]
) -> None:
    """What is with the pool then would wait for a child that a closed pool does not fork."""
    events = probes.send_many(["sleep"] * 40, seconds=0.05)
    command = [sys.executable, "-m", "celery", "-A", "orders_site", "worker", "-Q", "probe"]
    worker = start(
        [*command, "-P", "prefork", "-c", "3", "--max-tasks-per-child", "1"], name="once"
    )
    wait_for(lambda: len(probes.runs()) > 5)
    worker.terminate()
    assert worker.wait(within=30) == 0
    ran = len(probes.runs())
    wait_for(lambda: probes.counts() == (len(events) - ran, 0), within=5)


def test_a_stop_while_the_children_are_forked_is_no_error(
    probes: Probes, start: Callable[..., Process]
) -> None:
    command = [sys.executable, "-m", "celery", "-A", "orders_site", "worker", "-Q", "probe"]
    worker = start([*command, "-P", "prefork", "-c", "16"], name="begun")
    wait_for(lambda: descendants(worker.pid), what="the first child")
    worker.terminate()
    assert worker.wait(within=30) == 0
    assert " ready." not in worker.log
    assert "Traceback" not in worker.log
