"""A task that hangs: its message is let go, and its worker works on."""

from __future__ import annotations

import time
from collections.abc import Callable

from notifications.local.processes import Process
from notifications.models import WorkerProcess
from tests.integration.worker.conftest import Probes
from tests.waiting import wait_for

Start = Callable[..., Process]
SHORT = {"PROBE_VISIBILITY_SECONDS": "3", "PROBE_MAX_SECONDS": "3"}


def pids(probes: Probes, number: int) -> list[int]:
    """The process of each run of this event's task."""
    return [int(line.split()[3]) for line in probes.runs(number)]


def test_a_worker_with_a_hung_thread_restarts_as_the_same_process_and_works_on(
    probes: Probes, threads_worker: Start
) -> None:
    hung = probes.send("hang", times=1)
    other = probes.send("sleep", queue="other", seconds=5.0)
    worker = threads_worker("probe", "other", **SHORT)
    wait_for(lambda: worker.log.count(" ready.") == 2, within=25, what="a new start")
    assert "Task probe.run of consumer probe is at event" in worker.log
    assert worker.log.count("The worker restarts itself") == 1
    assert probes.is_empty("other"), "what ran beside it was finished first"
    wait_for(probes.is_empty, within=20)
    assert pids(probes, hung) == [worker.pid] * 2
    assert pids(probes, other) == [worker.pid]
    rows = WorkerProcess.objects.filter(pid=worker.pid).order_by("id")
    wait_for(lambda: [row.state for row in rows.all()] == ["stopped", "running"])
    assert not probes.dead_letters()


def test_a_hung_child_of_the_pool_is_killed_and_its_message_comes_again(
    probes: Probes, worker: Start
) -> None:
    hung = probes.send("hang", times=1)
    parent = worker("probe", pool="prefork", concurrency=1, **SHORT)
    wait_for(lambda: len(probes.runs(hung)) == 2, within=20)
    wait_for(probes.is_empty)
    first, second = pids(probes, hung)
    assert first != second
    assert parent.pid not in (first, second)
    assert "Hard time limit (3" in parent.log
    assert parent.log.count(" ready.") == 1
    assert not probes.dead_letters()


def test_restarts_in_a_row_wait_longer_each_time_and_a_stop_ends_the_wait(
    probes: Probes, threads_worker: Start
) -> None:
    long_ago, just_now = int(time.time()) - 3600, int(time.time()) - 30
    hung = probes.send("hang", times=9)
    worker = threads_worker(
        **SHORT,
        NOTIFICATIONS_WORKER_RESTARTS=" ".join(map(str, [long_ago, *[just_now] * 5])),
    )
    wait_for(lambda: probes.runs(hung))
    wait_for(lambda: "Restarted 5 times in the last 10 min already" in worker.log)
    worker.terminate()
    assert worker.wait(within=5) == 0
    assert worker.log.count(" ready.") == 1
    assert len(probes.runs(hung)) == 1


def test_a_stop_waits_for_a_hung_thread_up_to_its_maximum_only(
    probes: Probes, threads_worker: Start
) -> None:
    hung = probes.send("hang", times=1)
    worker = threads_worker(**SHORT)
    wait_for(lambda: probes.runs(hung))
    worker.terminate()
    assert worker.wait(within=30) == 0
    assert worker.log.count(" ready.") == 1
    wait_for(lambda: probes.counts() == (1, 0), what="its message to be visible again")
