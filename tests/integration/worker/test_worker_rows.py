"""The row of a worker process: it lives, it is stopped, or it is lost."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable
from datetime import timedelta
from io import StringIO
from typing import Any

import pytest
from django.core.management import call_command
from django.db.models.functions import Now

from notifications.local.processes import Process
from notifications.models import WorkerProcess
from notifications.models.worker_process import KEPT, SILENCE
from tests.integration.worker.conftest import Probes
from tests.waiting import wait_for

Start = Callable[..., Process]
State = WorkerProcess.State


def listed(*arguments: str) -> list[dict[str, Any]]:
    """What `manage.py workers --json` prints."""
    output = StringIO()
    call_command("workers", "--json", *arguments, stdout=output)
    found: list[dict[str, Any]] = json.loads(output.getvalue())["workers"]
    return found


def row() -> WorkerProcess:
    return WorkerProcess.objects.get()


def make_row(**fields: Any) -> WorkerProcess:
    made = WorkerProcess(name="worker@host", host="host", pid=7, pool="threads", **fields)
    WorkerProcess.objects.report(made)
    return made


def fall_silent(made: WorkerProcess, *, since: timedelta = SILENCE) -> None:
    last = Now() - since - timedelta(seconds=1)
    WorkerProcess.objects.filter(pk=made.pk).update(beat_at=last)


@pytest.mark.trap(21)
def test_a_worker_is_listed_with_what_it_does_and_notices_who_is_lost(
    probes: Probes, worker: Start
) -> None:
    gone = make_row()
    fall_silent(gone)
    listing = worker("probe", "other", pool="prefork", concurrency=2)
    probes.send("sleep", seconds=20.0)

    def works() -> dict[str, Any] | None:
        found = [each for each in listed() if each["running"]]
        return found[0] if found else None

    found = wait_for(works)
    assert (found["pid"], found["concurrency"]) == (listing.pid, 2)
    assert (found["state"], found["held"]) == (State.RUNNING, 1)
    assert found["pool"] == "prefork"
    polled = {queue["name"]: queue["last_poll"] for queue in found["queues"]}
    assert set(polled) == {"probe", "probe-bulk", "other"}
    assert all(age < 15 for age in polled.values())
    wait_for(lambda: WorkerProcess.objects.get(pk=gone.pk).state == State.LOST)


def test_sigterm_is_told_at_once_and_the_end_when_nothing_is_held(
    probes: Probes, threads_worker: Start
) -> None:
    worker = threads_worker()
    probes.send("sleep", seconds=3.0)
    wait_for(probes.runs)
    wait_for(lambda: row().state == State.RUNNING)
    assert (row().pool, row().concurrency) == ("threads", 4)
    os.kill(worker.pid, signal.SIGTERM)
    wait_for(lambda: row().state == State.STOPPING, within=2)
    assert row().ended_at is None
    assert worker.wait(within=20) == 0
    ended = row()
    assert (ended.state, ended.held, ended.running) == (State.STOPPED, 0, 0)
    assert ended.ended_at is not None
    assert listed() == []
    assert [each["state"] for each in listed("--all")] == [State.STOPPED]


def test_a_worker_that_is_killed_is_lost_when_it_has_been_silent_for_long(
    threads_worker: Start,
) -> None:
    worker = threads_worker()
    killed = wait_for(WorkerProcess.objects.first)
    os.kill(worker.pid, signal.SIGKILL)
    worker.wait(within=5)
    assert [each["state"] for each in listed()] == [State.RUNNING]
    fall_silent(killed)
    assert listed() == []
    lost = row()
    assert (lost.state, lost.ended_at) == (State.LOST, lost.beat_at)


def test_one_that_was_taken_for_lost_and_beats_is_alive(db: None) -> None:
    made = make_row()
    fall_silent(made)
    assert WorkerProcess.objects.mark_lost() == 1
    WorkerProcess.objects.report(made)
    assert (row().state, row().ended_at) == (State.RUNNING, None)


@pytest.mark.parametrize(
    ("state", "ends_as"), [(State.RUNNING, State.LOST), (State.STOPPING, State.STOPPED)]
)
def test_a_process_whose_id_another_has_is_gone(db: None, state: State, ends_as: State) -> None:
    earlier = make_row(state=state)
    WorkerProcess.objects.mark_replaced(make_row())
    assert WorkerProcess.objects.get(pk=earlier.pk).state == ends_as
    assert WorkerProcess.objects.alive().count() == 1


def test_rows_of_what_ended_a_week_ago_are_forgotten(db: None) -> None:
    old, recent, alive = (make_row() for _ in range(3))
    for ended in (old, recent):
        WorkerProcess.objects.mark_stopped(ended.pk)
    WorkerProcess.objects.filter(pk=old.pk).update(ended_at=Now() - KEPT)
    assert WorkerProcess.objects.prune() == 1
    assert set(WorkerProcess.objects.all()) == {recent, alive}


def test_the_list_for_people_shows_each_queue_and_its_trouble(db: None) -> None:
    queues = [
        {"name": "email", "last_poll": 3.0, "under_way": 1, "held_by": ""},
        {"name": "sms", "last_poll": None, "under_way": 0, "held_by": "paused by ann"},
    ]
    make_row(queues=queues, held=5, running=3, slots=32, trouble="email was not polled for 40 s")
    output = StringIO()
    call_command("workers", stdout=output, no_color=True)
    heading, line, polled, trouble = output.getvalue().splitlines()
    assert heading.startswith("NAME         HOST  PID  POOL")
    assert line.split()[:6] == ["worker@host", "host", "7", "threads", "0", "running"]
    assert line.split()[-1] == "3/5/32"
    assert polled.strip() == "email (3 s), sms (paused by ann)"
    assert trouble.strip() == "email was not polled for 40 s"


def test_without_a_worker_the_list_says_how_to_start_one(db: None) -> None:
    output = StringIO()
    call_command("workers", stdout=output)
    assert output.getvalue().startswith("No worker is alive.")
