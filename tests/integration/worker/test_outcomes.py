"""What becomes of a message, by how its task ended.

One worker of the threads pool is given a message of each kind at once, and each test looks at what
it left of one of them. What the pool makes a difference to has a worker of its own.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django_celery_results.models import TaskResult

from notifications.local.processes import Process
from notifications.models import DeadLetter, Dispatch, Handled
from tests.integration.worker.conftest import Probes, made_once
from tests.waiting import wait_for

pytestmark = pytest.mark.django_db(transaction=True)

Start = Callable[..., Process]

SENT: dict[str, tuple[str, dict[str, Any]]] = {
    "succeeds": ("succeed", {}),
    "succeeds on the bulk queue": ("succeed", {"queue": "probe-bulk"}),
    "fails twice": ("fail transiently", {"times": 2}),
    "fails each time": ("fail transiently", {"times": 99}),
    "is busy": ("be busy", {"times": 3}),
    "fails for good": ("fail for good", {}),
    "has a bug": ("have a bug", {}),
    "breaks its transaction": ("go on in a broken transaction", {}),
    "is called off each time": ("take too long", {}),
    "waits long": ("wait long", {}),
    "has no file left twice": ("run out of files", {"times": 2}),
    "never has a file left": ("run out of files", {"times": 99}),
}
"""By a name for it: the script of an event, and what else is said of it."""

TOO_MANY = {f"theirs_{number}": {"DataType": "String", "StringValue": "x"} for number in range(8)}
"""Message attributes, so many that SQS refuses ours besides."""


@dataclass(frozen=True)
class Left:
    """Of one event: the retries that each run of its task knew of, and what lies about."""

    subject: str
    runs: list[str]
    letters: list[dict[str, str]]
    rows: list[Handled]
    failed: list[TaskResult]
    dispatches: list[Dispatch]


@dataclass(frozen=True)
class Outcomes:
    """of: by the names above. refused: the row of a dead letter that SQS refused, and its id."""

    at: datetime
    of: dict[str, Left]
    refused: tuple[DeadLetter, str]
    log: str


def _outcomes(probes: Probes, start: Start) -> Outcomes:
    numbers = {name: probes.send(script, **data) for name, (script, data) in SENT.items()}
    refused = probes.send_text("no event", MessageAttributes=TOO_MANY)
    worker = start()
    for queue in ("probe", "probe-bulk"):
        wait_for(lambda queue=queue: probes.is_empty(queue), within=60)
    letters = probes.dead_letters()
    of = {name: _left(probes, number, letters) for name, number in numbers.items()}
    left = list(of.values())
    assert len(letters) == sum(len(each.letters) for each in left), "and of nothing else"
    assert TaskResult.objects.count() == sum(len(each.failed) for each in left)
    assert Dispatch.objects.count() == sum(len(each.dispatches) for each in left)
    assert Handled.objects.count() == sum(len(each.rows) for each in left)
    return Outcomes(datetime.now(UTC), of, (DeadLetter.objects.get(), refused), worker.log)


outcomes = made_once(_outcomes)


def _left(probes: Probes, number: int, letters: list[dict[str, Any]]) -> Left:
    subject = f"probe/{number}"
    ours = [each for each in letters if json.loads(each["Body"])["subject"] == subject]
    return Left(
        subject,
        [line.split()[2] for line in probes.runs(number)],
        [
            {name: value["StringValue"] for name, value in each["MessageAttributes"].items()}
            for each in ours
        ],
        list(Handled.objects.filter(subject=subject)),
        [row for row in TaskResult.objects.all() if re.search(rf"{subject}\b", row.task_args)],
        list(Dispatch.objects.filter(event__subject=subject)),
    )


@pytest.mark.S1
@pytest.mark.trap(26)
def test_a_task_that_succeeds_takes_its_message_along_and_leaves_no_row(outcomes: Outcomes) -> None:
    left = outcomes.of["succeeds"]
    assert len(left.runs) == 1
    assert not left.failed
    assert not left.letters


def test_a_consumer_s_bulk_queue_is_served_with_it(outcomes: Outcomes) -> None:
    assert len(outcomes.of["succeeds on the bulk queue"].runs) == 1


@pytest.mark.S1
@pytest.mark.trap(8)
@pytest.mark.trap(20)
def test_a_transient_error_is_tried_again_by_visibility_and_publishes_nothing(
    outcomes: Outcomes,
) -> None:
    left = outcomes.of["fails twice"]
    assert left.runs == ["0", "1", "2"]
    [row] = left.rows
    assert (row.attempts, row.outcome, row.last_error) == (2, Handled.Outcome.DONE, "")
    assert row.done_at
    assert not left.failed
    assert not left.dispatches


def test_a_process_that_may_open_no_more_files_tries_again(outcomes: Outcomes) -> None:
    left = outcomes.of["has no file left twice"]
    assert left.runs == ["0", "1", "2"]
    [row] = left.rows
    assert (row.attempts, row.outcome, row.last_error) == (2, Handled.Outcome.DONE, "")
    assert not left.letters


def test_what_never_has_a_file_left_ends_as_a_dead_letter(outcomes: Outcomes) -> None:
    left = outcomes.of["never has a file left"]
    assert left.runs == ["0", "1", "2"]
    [letter] = left.letters
    assert letter["reason"] == "attempts_exhausted"
    assert letter["attempts"] == "3"


def test_a_lease_held_by_another_costs_no_attempt(outcomes: Outcomes) -> None:
    left = outcomes.of["is busy"]
    assert left.runs == ["0"] * 4
    assert not left.rows


@pytest.mark.S0
@pytest.mark.trap(10)
def test_more_transient_errors_than_max_retries_end_as_a_dead_letter(outcomes: Outcomes) -> None:
    left = outcomes.of["fails each time"]
    assert len(left.runs) == 3
    [letter] = left.letters
    assert (letter["reason"], letter["attempts"]) == ("attempts_exhausted", "3")
    assert [row.outcome for row in left.rows] == [Handled.Outcome.FAILED]


@pytest.mark.S1
def test_a_permanent_error_is_a_dead_letter_at_once_with_everything_written_on_it(
    outcomes: Outcomes,
) -> None:
    left = outcomes.of["fails for good"]
    assert len(left.runs) == 1
    [said] = left.letters
    assert said["reason"] == "probe_permanent"
    assert said["error_class"] == "notifications.exceptions.PermanentError"
    assert "m…@example.org" in said["error"]
    assert "mallory" not in str(said)
    assert said["attempts"] == "1"
    [row] = left.rows
    assert (row.outcome, row.attempts) == (Handled.Outcome.FAILED, 1)
    assert row.last_error == "PermanentError: probe_permanent: never, says m…@example.org"
    assert len(said["fingerprint"]) == 16
    assert datetime.fromisoformat(said["first_seen"]) > outcomes.at - timedelta(minutes=1)
    assert said["source_message_id"]


def test_a_bug_is_a_dead_letter_at_once_and_a_failed_task(outcomes: Outcomes) -> None:
    left = outcomes.of["has a bug"]
    assert len(left.runs) == 1
    [letter] = left.letters
    assert letter["error_class"] == "builtins.ZeroDivisionError"
    [row] = left.failed
    assert (row.status, row.task_name) == ("FAILURE", "probe.run")


def test_who_goes_on_in_a_transaction_that_has_failed_has_a_bug_and_no_database_that_is_away(
    outcomes: Outcomes,
) -> None:
    left = outcomes.of["breaks its transaction"]
    assert len(left.runs) == 1
    [letter] = left.letters
    assert letter["error_class"] == "django.db.utils.InternalError"
    assert [row.outcome for row in left.rows] == [Handled.Outcome.FAILED]


def test_what_postgresql_calls_off_each_time_while_others_are_done_is_a_dead_letter(
    outcomes: Outcomes,
) -> None:
    left = outcomes.of["is called off each time"]
    assert left.runs == ["0", "1", "2"]
    [letter] = left.letters
    assert (letter["reason"], letter["attempts"]) == ("attempts_exhausted", "3")
    [row] = left.rows
    assert row.outcome == Handled.Outcome.FAILED
    said = f"event {row.event_id} (probe.happened) at probe: PostgreSQL called a statement off"
    assert said in outcomes.log


def test_a_failed_task_s_row_and_log_hold_no_address(outcomes: Outcomes) -> None:
    [row] = outcomes.of["fails for good"].failed
    assert "mallory" not in f"{row.result} {row.traceback}"
    assert "m…@example.org" in row.traceback
    assert "mallory" not in outcomes.log


@pytest.mark.trap(4)
def test_a_wait_of_hours_becomes_a_dispatch_and_the_message_goes(outcomes: Outcomes) -> None:
    left = outcomes.of["waits long"]
    assert len(left.runs) == 1
    [dispatch] = left.dispatches
    assert (dispatch.kind, dispatch.destination) == ("queue", "probe")
    assert dispatch.available_at > outcomes.at + timedelta(hours=23)
    assert not left.letters


def test_a_dead_letter_that_sqs_refuses_is_kept_as_a_row(outcomes: Outcomes) -> None:
    row, message_id = outcomes.refused
    assert (row.queue, row.message_id, row.reason) == ("probe", message_id, "not_an_event")
    assert bytes(row.body) == b"no event"
    assert row.attributes["theirs_7"] == "x"


def test_waits_however_many_make_no_dead_letter_of_what_never_failed(
    probes: Probes, threads_worker: Start, relay: Start
) -> None:
    """SQS would, at 22 receives: a message that nears them is put off, and begins at none."""
    number = probes.send("be busy", times=30, seconds=0)
    relay()
    threads_worker()
    wait_for(lambda: len(probes.runs(number)) == 31, within=30, what="the last of its waits to end")
    wait_for(probes.is_empty)
    assert not probes.dead_letters()
    assert [each.reason for each in Dispatch.objects.all()] == ["deferred"] * 2
    assert not Handled.objects.exists()


@pytest.mark.S1
@pytest.mark.trap(13)
@pytest.mark.trap(26)
def test_a_process_that_dies_under_a_task_gives_its_message_back(
    probes: Probes, worker: Start
) -> None:
    """And before that, it takes along what succeeds as a thread does."""
    done = probes.send("succeed")
    worker("probe", pool="prefork", concurrency=1)
    wait_for(probes.is_empty)
    assert len(probes.runs(done)) == 1
    assert not TaskResult.objects.exists()

    number = probes.send("die", times=1)
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


def test_a_wait_that_is_no_number_is_none_and_costs_the_worker_no_place(
    probes: Probes, threads_worker: Start
) -> None:
    """As many as it may hold: each kept its place for ever, and then nothing was received."""
    events = probes.send_many(["wait for no number"] * 12)
    threads_worker(concurrency=4)
    wait_for(lambda: all(len(probes.runs(each)) == 2 for each in events), within=20)
    assert probes.are_served()
