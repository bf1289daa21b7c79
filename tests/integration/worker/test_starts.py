"""Starts without an end: who is a suspect, who is convicted, and who never is."""

from __future__ import annotations

import threading
from dataclasses import replace

import pytest
from celery import shared_task
from celery.exceptions import Retry
from django.db import connection

from notifications.envelope import Envelope
from notifications.exceptions import Busy, PermanentError, Poisoned, TransientError
from notifications.models import Handled
from notifications.worker.starts import FIRST_WAIT, LONGEST_WAIT, MOST_STARTS
from notifications.worker.task import EventTask
from tests.integration.letters import letter
from tests.integration.worker import deeds
from tests.integration.worker.deeds import Deed
from tests.waiting import wait_for

pytestmark = pytest.mark.django_db(transaction=True)


class Died(BaseException):
    """Of this a task's base hears as little as of a process that is killed."""


def die() -> None:
    raise Died


def nothing() -> None:
    pass


def fail(error: Exception) -> Deed:
    def deed() -> None:
        raise error

    return deed


@shared_task(bind=True, base=EventTask, name="tests.starts", autoretry_for=(TransientError,))
def task(self: object, envelope: Envelope) -> None:
    deeds.do(envelope)


def run(event: Envelope, deed: Deed = nothing, *, receives: int = 2) -> None:
    """One receive of the event, in which the task does that."""
    deeds.receive(task, event, deed, receives=receives)


def die_with(event: Envelope, *, times: int) -> None:
    for _ in range(times):
        with pytest.raises(Died):
            run(event, die)


def starts_of(event: Envelope) -> int | None:
    return Handled.objects.filter(event_id=event.id).values_list("starts", flat=True).first()


def test_a_start_is_written_before_the_task_runs_and_forgotten_after_it() -> None:
    event, seen = letter(), list[int | None]()
    run(event, lambda: seen.append(starts_of(event)))
    assert seen == [1]
    assert starts_of(event) is None


def test_more_than_three_starts_without_an_end_convict() -> None:
    event = letter()
    die_with(event, times=MOST_STARTS)
    with pytest.raises(Poisoned) as convicted:
        run(event, lambda: pytest.fail("it ran"))
    row = Handled.objects.get()
    assert (row.outcome, row.attempts, row.starts) == (Handled.Outcome.FAILED, MOST_STARTS, 0)
    assert row.last_error.startswith("Poisoned: poison: its task began 3 times")
    assert convicted.value.attempts == MOST_STARTS


@pytest.mark.parametrize(
    ("deed", "ends_with"),
    [
        (nothing, None),
        (fail(TransientError("not now")), Retry),
        (fail(Busy("somebody has it")), Retry),
        (fail(PermanentError("never")), PermanentError),
        (fail(ZeroDivisionError()), ZeroDivisionError),
    ],
)
def test_whatever_end_the_process_lives_to_see_clears_its_starts(
    deed: Deed, ends_with: type[Exception] | None
) -> None:
    event = letter()
    die_with(event, times=MOST_STARTS - 1)
    if ends_with:
        with pytest.raises(ends_with):
            run(event, deed)
    else:
        run(event, deed)
    assert not starts_of(event)


def test_memory_that_runs_out_is_no_end() -> None:
    event = letter()
    with pytest.raises(MemoryError):
        run(event, fail(MemoryError()))
    row = Handled.objects.get()
    assert (row.starts, row.outcome) == (1, Handled.Outcome.OPEN)


def test_attempts_that_failed_are_read_with_the_start() -> None:
    event, retries = letter(), list[int]()
    Handled.objects.count_attempt("email", event, OSError())
    Handled.objects.count_attempt("email", event, OSError())
    run(event, lambda: retries.append(task.request.retries))
    again = replace(event, generation=1)
    Handled.objects.filter().update(outcome=Handled.Outcome.FAILED)
    run(again, lambda: retries.append(task.request.retries))
    assert retries == [2, 0]


def test_what_is_done_stays_done_when_its_message_kills_a_process_and_comes_again() -> None:
    event = letter()
    Handled.objects.mark_done("email", event)
    done_at = Handled.objects.get().done_at
    die_with(event, times=1)
    run(event)
    row = Handled.objects.get()
    assert (row.outcome, row.starts, row.done_at) == (Handled.Outcome.DONE, 0, done_at)


def test_a_convict_that_is_redriven_has_as_many_starts_again() -> None:
    event = letter()
    die_with(event, times=MOST_STARTS)
    with pytest.raises(Poisoned):
        run(event)
    redriven = replace(event, generation=1)
    run(redriven, receives=1)
    assert Handled.objects.get().outcome == Handled.Outcome.DONE
    die_with(redriven, times=MOST_STARTS)


class Running:
    """A run in a thread, from when its task has begun until `end` lets it end."""

    def __init__(self, event: Envelope) -> None:
        self.begun, self._let_go = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._run, args=(event,))

    def __enter__(self) -> Running:
        self._thread.start()
        wait_for(self.begun.is_set)
        return self

    def __exit__(self, *_: object) -> None:
        self._let_go.set()
        self._thread.join()

    def _run(self, event: Envelope) -> None:
        def deed() -> None:
            self.begun.set()
            self._let_go.wait(10)

        try:
            run(event, deed)
        finally:
            connection.close()


def test_of_two_suspects_one_waits_without_a_start_or_an_attempt() -> None:
    one, other = letter(), letter()
    die_with(one, times=1)
    die_with(other, times=1)
    with Running(one):
        with pytest.raises(Retry) as waits:
            run(other, lambda: pytest.fail("it ran beside a suspect"), receives=3)
        assert (starts_of(one), starts_of(other)) == (2, 1)
        assert 1 <= waits.value.when <= FIRST_WAIT
    run(other)
    assert starts_of(other) is None


def test_a_suspect_that_has_waited_long_looks_seldom() -> None:
    """Each look is a receive, and SQS moves away what is received too often."""
    one, other = letter(), letter()
    die_with(one, times=1)
    die_with(other, times=1)
    waits = []
    with Running(one):
        for receives in range(20, 28):
            with pytest.raises(Retry) as waiting:
                run(other, receives=receives)
            waits.append(waiting.value.when)
    assert LONGEST_WAIT / 4 < max(waits) <= LONGEST_WAIT


def test_a_suspect_runs_beside_others_that_are_none() -> None:
    suspect, other, fresh = letter(), letter(), letter()
    die_with(suspect, times=1)
    with Running(suspect):
        run(other)
        run(fresh, receives=1)
