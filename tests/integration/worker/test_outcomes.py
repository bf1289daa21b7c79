"""What becomes of a message, by how its task ended. In both pools."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from django_celery_results.models import TaskResult

from notifications.local.processes import Process
from notifications.models import DeadLetter, Dispatch, Handled
from tests.integration.worker.conftest import Probes
from tests.waiting import wait_for

Start = Callable[..., Process]


@pytest.mark.S1
@pytest.mark.trap(26)
def test_a_task_that_succeeds_takes_its_message_along_and_leaves_no_row(
    probes: Probes, probe_worker: Start
) -> None:
    number = probes.send("succeed")
    probe_worker()
    wait_for(probes.is_empty)
    assert len(probes.runs(number)) == 1
    assert not TaskResult.objects.exists()
    assert not probes.dead_letters()


@pytest.mark.S1
@pytest.mark.trap(8)
@pytest.mark.trap(20)
def test_a_transient_error_is_tried_again_by_visibility_and_publishes_nothing(
    probes: Probes, probe_worker: Start
) -> None:
    number = probes.send("fail transiently", times=2)
    probe_worker()
    wait_for(probes.is_empty)
    assert [line.split()[2] for line in probes.runs(number)] == ["0", "1", "2"]
    row = Handled.objects.get(subject=f"probe/{number}")
    assert (row.attempts, row.outcome, row.last_error) == (2, Handled.Outcome.DONE, "")
    assert row.done_at
    assert not TaskResult.objects.exists()
    assert not Dispatch.objects.exists()


def test_a_lease_held_by_another_costs_no_attempt(probes: Probes, probe_worker: Start) -> None:
    number = probes.send("be busy", times=3)
    probe_worker()
    wait_for(probes.is_empty)
    assert [line.split()[2] for line in probes.runs(number)] == ["0"] * 4
    assert not Handled.objects.exists()


def test_waits_however_many_make_no_dead_letter_of_what_never_failed(
    probes: Probes, probe_worker: Start, relay: Start
) -> None:
    """SQS would, at 22 receives: a message that nears them is put off, and begins at none."""
    number = probes.send("be busy", times=30, seconds=0)
    relay()
    probe_worker()
    wait_for(lambda: len(probes.runs(number)) == 31, within=30, what="the last of its waits to end")
    wait_for(probes.is_empty)
    assert not probes.dead_letters()
    assert [each.reason for each in Dispatch.objects.all()] == ["deferred"] * 2
    assert not Handled.objects.exists()


@pytest.mark.S0
@pytest.mark.trap(10)
def test_more_transient_errors_than_max_retries_end_as_a_dead_letter(
    probes: Probes, probe_worker: Start
) -> None:
    number = probes.send("fail transiently", times=99)
    probe_worker()
    wait_for(probes.is_empty, within=15)
    assert len(probes.runs(number)) == 3
    [letter] = probes.dead_letters()
    assert letter["MessageAttributes"]["reason"]["StringValue"] == "attempts_exhausted"
    assert letter["MessageAttributes"]["attempts"]["StringValue"] == "3"
    assert Handled.objects.get().outcome == Handled.Outcome.FAILED


@pytest.mark.S1
def test_a_permanent_error_is_a_dead_letter_at_once_with_everything_written_on_it(
    probes: Probes, probe_worker: Start
) -> None:
    number = probes.send("fail for good")
    probe_worker()
    wait_for(probes.is_empty)
    assert len(probes.runs(number)) == 1
    [letter] = probes.dead_letters()
    said = {name: value["StringValue"] for name, value in letter["MessageAttributes"].items()}
    assert said["reason"] == "probe_permanent"
    assert said["error_class"] == "notifications.exceptions.PermanentError"
    assert "m…@example.org" in said["error"]
    assert "mallory" not in str(said)
    assert said["attempts"] == "1"
    row = Handled.objects.get(subject=f"probe/{number}")
    assert (row.outcome, row.attempts) == (Handled.Outcome.FAILED, 1)
    assert row.last_error == "PermanentError: probe_permanent: never, says m…@example.org"
    assert len(said["fingerprint"]) == 16
    assert datetime.fromisoformat(said["first_seen"]) > datetime.now(UTC) - timedelta(minutes=1)
    assert said["source_message_id"]


def test_a_bug_is_a_dead_letter_at_once_and_a_failed_task(
    probes: Probes, probe_worker: Start
) -> None:
    number = probes.send("have a bug")
    probe_worker()
    wait_for(probes.is_empty)
    assert len(probes.runs(number)) == 1
    [letter] = probes.dead_letters()
    assert letter["MessageAttributes"]["error_class"]["StringValue"] == "builtins.ZeroDivisionError"
    [row] = TaskResult.objects.all()
    assert (row.status, row.task_name) == ("FAILURE", "probe.run")
    assert f"probe/{number}" in row.task_args


def test_a_failed_task_s_row_and_log_hold_no_address(probes: Probes, probe_worker: Start) -> None:
    probes.send("fail for good")
    worker = probe_worker()
    wait_for(probes.is_empty)
    [row] = TaskResult.objects.all()
    assert "mallory" not in f"{row.result} {row.traceback}"
    assert "m…@example.org" in row.traceback
    assert "mallory" not in worker.log


@pytest.mark.trap(4)
def test_a_wait_of_hours_becomes_a_dispatch_and_the_message_goes(
    probes: Probes, probe_worker: Start
) -> None:
    number = probes.send("wait long")
    probe_worker()
    wait_for(probes.is_empty)
    assert len(probes.runs(number)) == 1
    [dispatch] = Dispatch.objects.all()
    assert (dispatch.kind, dispatch.destination) == ("queue", "probe")
    assert dispatch.available_at > datetime.now(UTC) + timedelta(hours=23)
    assert not probes.dead_letters()


@pytest.mark.S1
@pytest.mark.trap(13)
def test_a_process_that_dies_under_a_task_gives_its_message_back(
    probes: Probes, worker: Start
) -> None:
    number = probes.send("die", times=1)
    worker("probe", pool="prefork", concurrency=1)
    wait_for(lambda: len(probes.runs(number)) == 2, within=25)
    wait_for(probes.is_empty)
    assert not probes.dead_letters()


def test_a_task_that_exits_the_interpreter_ends_neither_thread_nor_worker(
    probes: Probes, threads_worker: Start
) -> None:
    probes.send("exit")
    worker = threads_worker(concurrency=1)
    wait_for(lambda: "lost its process" in worker.log)
    number = probes.send("succeed")
    wait_for(lambda: probes.runs(number))


def test_a_dead_letter_that_sqs_refuses_is_kept_as_a_row(
    probes: Probes, threads_worker: Start
) -> None:
    attributes = {
        f"theirs_{number}": {"DataType": "String", "StringValue": "x"} for number in range(8)
    }
    message_id = probes.send_text("no event", MessageAttributes=attributes)
    threads_worker()
    wait_for(probes.is_empty)
    row = DeadLetter.objects.get()
    assert (row.queue, row.message_id, row.reason) == ("probe", message_id, "not_an_event")
    assert bytes(row.body) == b"no event"
    assert row.attributes["theirs_7"] == "x"
    assert not probes.dead_letters()


@pytest.mark.parametrize("queue", ["probe", "probe-bulk"])
def test_a_consumer_s_bulk_queue_is_served_with_it(
    probes: Probes, threads_worker: Start, queue: str
) -> None:
    number = probes.send("succeed", queue=queue)
    threads_worker()
    wait_for(lambda: probes.is_empty(queue))
    assert len(probes.runs(number)) == 1
