"""The inbox row that a task leaves, or closes, or need not ask for."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from celery import shared_task
from celery.exceptions import Ignore, Retry
from django.db import DEFAULT_DB_ALIAS, connections
from django.test.utils import CaptureQueriesContext

from notifications.envelope import Envelope
from notifications.exceptions import AttemptsExhausted, PermanentError, TransientError
from notifications.models import Handled, Restoration
from notifications.worker.task import EventTask
from tests.integration import ledger
from tests.integration.letters import letter

pytestmark = pytest.mark.django_db


@shared_task(bind=True, base=EventTask, name="tests.handled_rows")
def task(self: object, envelope: Envelope) -> None:
    """Does nothing."""


@shared_task(bind=True, base=EventTask, name="tests.handled_rows_told")
def told(self: object, envelope: Envelope) -> None:
    error = PermanentError("refused")
    error.attempts = 3  # type: ignore[attr-defined]
    raise error


@shared_task(
    bind=True, base=EventTask, name="tests.handled_rows_failing", autoretry_for=(TransientError,)
)
def failing(self: object, envelope: Envelope) -> None:
    raise TransientError("not now")


@pytest.fixture
def received() -> Iterator[dict[str, Any]]:
    """The headers of a message received for the first time, sent now."""
    headers = {"consumer": "email", "queue": "email", "receive_count": 1}
    headers |= {"sent_at": time.time(), "fifo": False}
    for each in (task, told, failing):
        each.push_request(headers=headers, retries=0)
    yield headers
    for each in (task, told, failing):
        each.pop_request()


@pytest.mark.usefixtures("received")
def test_a_success_on_the_first_receive_costs_no_query_of_its_own() -> None:
    """Whether the database was restored a process looks up once a second, for all its messages."""
    with CaptureQueriesContext(connections[DEFAULT_DB_ALIAS]) as queries:
        task(letter())
    own = [each for each in queries if Restoration._meta.db_table not in each["sql"]]
    assert own == []


@pytest.mark.parametrize(("inbox", "rows"), [(True, 1), (False, 0)])
def test_what_a_service_does_is_on_record_unless_it_keeps_no_inbox(
    received: dict[str, Any], inbox: bool, rows: int
) -> None:
    received["consumer"] = ledger.NAME
    with ledger.registered(inbox=inbox):
        task(event := letter())
    done = Handled.objects.filter(consumer=ledger.NAME, event_id=event.id, outcome="done")
    assert done.count() == Handled.objects.count() == rows


def test_a_success_after_a_failure_closes_its_row(received: dict[str, Any]) -> None:
    event = letter()
    Handled.objects.count_attempt("email", event, OSError("no route"))
    received["receive_count"] = 2
    task(event)
    row = Handled.objects.get()
    assert (row.outcome, row.attempts, row.last_error) == (Handled.Outcome.DONE, 1, "")
    assert row.done_at


@pytest.mark.usefixtures("received")
def test_a_success_of_an_event_that_was_put_off_closes_its_row() -> None:
    """Its message is a new one, which SQS receives for the first time."""
    event = letter(age=timedelta(hours=1))
    Handled.objects.count_attempt("email", event, OSError("see you in an hour"))
    task(event)
    assert Handled.objects.get().outcome == Handled.Outcome.DONE


@pytest.mark.usefixtures("received")
def test_a_success_after_a_redrive_closes_the_row_of_what_was_given_up() -> None:
    Handled.objects.mark_failed("email", event := letter(generation=1), OSError())
    task(event)
    assert Handled.objects.get().outcome == Handled.Outcome.DONE


def test_a_success_received_twice_makes_no_row(received: dict[str, Any]) -> None:
    received["receive_count"] = 2
    task(letter())
    assert not Handled.objects.exists()


@pytest.mark.usefixtures("received")
def test_what_is_on_a_delivery_s_row_already_leaves_none_here() -> None:
    with pytest.raises(PermanentError):
        told(letter())
    assert not Handled.objects.exists()


@pytest.mark.S1
def test_what_a_service_has_done_is_not_run_again(received: dict[str, Any]) -> None:
    event = letter(generation=1)
    received["consumer"] = ledger.NAME
    with ledger.registered():
        Handled.objects.mark_done(ledger.NAME, event)
        with pytest.raises(Ignore, match="done already"):
            task(event)


@pytest.mark.usefixtures("received")
def test_a_channel_whose_row_is_done_asks_its_deliveries() -> None:
    Handled.objects.mark_done("email", event := letter(generation=1))
    task(event)
    assert Handled.objects.get().outcome == Handled.Outcome.DONE


def test_what_was_done_and_is_replayed_to_a_channel_has_its_attempts_and_no_more(
    received: dict[str, Any],
) -> None:
    """There was nobody to tell, say; now there is, and the shop cannot say who."""
    Handled.objects.mark_done("email", event := letter())
    for received["receive_count"] in range(1, failing.max_retries + 1):
        with pytest.raises(Retry):
            failing(event)
    received["receive_count"] += 1
    with pytest.raises(AttemptsExhausted):
        failing(event)
    assert Handled.objects.get().outcome == Handled.Outcome.DONE


@pytest.mark.parametrize(("reopened_as", "outcome"), [(1, "failed"), (2, "open")])
@pytest.mark.usefixtures("received")
def test_what_fails_again_after_a_redrive_leaves_no_row_open_but_a_later_one_s(
    reopened_as: int, outcome: str
) -> None:
    event = letter(generation=1)
    Handled.objects.reopen("email", replace(event, generation=reopened_as), why="redriven")
    with pytest.raises(PermanentError):
        told(event)
    assert Handled.objects.get().outcome == outcome
