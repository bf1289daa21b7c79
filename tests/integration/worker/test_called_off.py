"""PostgreSQL calls a statement off: that is the message's own trouble, or the database's."""

from __future__ import annotations

import logging
import time
from dataclasses import replace
from typing import Any

import pytest
from celery import shared_task
from celery.exceptions import Retry
from django.db import OperationalError, connection, transaction

from notifications.channels.memory import MemoryChannel
from notifications.envelope import Envelope
from notifications.exceptions import AttemptsExhausted, TransientError
from notifications.models import Delivery, Handled
from notifications.outages import called_off, is_away
from notifications.worker import neighbours
from notifications.worker.database import DatabaseUnavailable
from notifications.worker.task import EventTask
from tests.integration.letters import ANN, BEN, Town, letter, tell
from tests.integration.worker import deeds
from tests.integration.worker.deeds import Deed

pytestmark = pytest.mark.django_db(transaction=True)


def succeed() -> None:
    pass


def take_too_long() -> None:
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL statement_timeout = 1")
        cursor.execute("SELECT pg_sleep(1)")


def wait_for_a_lock() -> None:
    def lock(connection: Any, timeout: str) -> None:
        with connection.cursor() as cursor:
            cursor.execute(f"SET LOCAL lock_timeout = {timeout}")
            cursor.execute("LOCK TABLE notifications_pause")

    other = connection.copy()
    try:
        with transaction.atomic():
            other.set_autocommit(False)
            lock(other, "1000")
            lock(connection, "1")
    finally:
        other.close()


def hold_a_transaction_idle() -> None:
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL idle_in_transaction_session_timeout = 1")
        time.sleep(0.1)
        cursor.execute("SELECT 1")


@shared_task(
    bind=True,
    base=EventTask,
    name="tests.called_off",
    autoretry_for=(TransientError,),
    max_retries=2,
)
def task(self: object, envelope: Envelope) -> None:
    deeds.do(envelope)


def run(event: Envelope, deed: Deed = take_too_long, *, receives: int = 2) -> None:
    """One receive of the event, in which the task does that."""
    deeds.receive(task, event, deed, receives=receives)


@pytest.fixture(autouse=True)
def _nobody_ran_before() -> None:
    neighbours._ends.clear()


@pytest.mark.parametrize("deed", [take_too_long, wait_for_a_lock, hold_a_transaction_idle])
def test_what_the_database_calls_off_is_told_from_a_database_that_is_away(deed: Deed) -> None:
    with pytest.raises(Exception) as caught:
        deed()
    assert is_away(caught.value)
    assert called_off(caught.value)
    connection.close()


def test_while_others_are_done_each_time_is_an_attempt_and_the_last_ends_it() -> None:
    event = letter()
    for attempts in (1, 2):
        run(letter(), succeed)
        with pytest.raises(Retry) as retry:
            run(event)
        assert isinstance(retry.value.exc, OperationalError)
        row = Handled.objects.get(event_id=event.id)
        assert (row.outcome, row.attempts) == ("open", attempts), "an operator sees it"
        assert "statement timeout" in row.last_error
    run(letter(), succeed)
    with pytest.raises(AttemptsExhausted, match="3 attempts, the last: OperationalError"):
        run(event)
    assert Handled.objects.get(event_id=event.id).outcome == "failed"


def test_while_nobody_gets_through_the_database_is_slow_and_no_message_is_given_up(
    caplog: pytest.LogCaptureFixture,
) -> None:
    run(letter(), succeed)
    events = [letter() for _ in range(3)]
    with caplog.at_level(logging.WARNING):
        for _ in range(20):
            for event in events:
                with pytest.raises(Retry):
                    run(event)
    with pytest.raises(Retry) as retry:
        run(events[0])
    assert isinstance(retry.value.exc, DatabaseUnavailable)
    assert Handled.objects.filter(outcome="failed").count() == 0
    assert max([0, *Handled.objects.values_list("attempts", flat=True)]) <= 1
    assert f"event {events[0].id}" in caplog.text


def test_what_was_done_long_before_says_nothing_of_the_database_as_it_is() -> None:
    run(letter(), succeed)
    now, event = time.monotonic(), letter()
    assert neighbours.fare_well("email", event, began=now)
    assert not neighbours.fare_well("sms", event, began=now), "it may want other tables"
    assert not neighbours.fare_well("email", replace(event, type="order.shipped"), began=now)
    assert not neighbours.fare_well("email", event, began=now + neighbours.BEFORE + 1)


def test_several_that_never_get_through_are_ended_among_many_that_do() -> None:
    events = [letter() for _ in range(3)]
    ended = 0
    for _ in range(3):
        for event in events:
            for _ in range(3):
                run(letter(), succeed)
            with pytest.raises((Retry, AttemptsExhausted)) as raised:
                run(event)
            ended += raised.errisinstance(AttemptsExhausted)
    assert ended == 3


@pytest.mark.usefixtures("town")
def test_one_recipient_s_does_not_keep_the_others_of_a_message(town: Town) -> None:
    town.people = [ANN, BEN]
    told = iter([True])

    def words() -> dict[str, Any]:
        if next(told, False):
            take_too_long()
        return {}

    town.words = words
    event = letter()
    with pytest.raises(OperationalError):
        tell(event)
    assert [each.address for each in MemoryChannel.outbox("email")] == [BEN.address]
    assert dict(Delivery.objects.values_list("recipient", "state")) == {
        ANN.reference: "retrying",
        BEN.reference: "sent",
    }
