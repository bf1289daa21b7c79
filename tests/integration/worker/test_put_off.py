"""A message that SQS has received too often to sleep any more is put off to the outbox."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from celery import shared_task
from celery.exceptions import Ignore, Retry
from django.db import connection
from django.utils import timezone

from notifications import consumers, receipts
from notifications.envelope import Envelope
from notifications.exceptions import Busy
from notifications.models import Dispatch, Event, Handled
from notifications.topology import SPARE_RECEIVES
from notifications.worker import hiding
from notifications.worker.task import LONGEST_SLEEP, MOST_RECEIVES, EventTask
from tests.integration.letters import letter

pytestmark = pytest.mark.django_db


_FULL_DISK = """
    CREATE FUNCTION full_disk() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        RAISE EXCEPTION 'could not extend file: No space left on device' USING ERRCODE = '53100';
    END $$;
    CREATE TRIGGER full_disk BEFORE INSERT ON notifications_dispatch
    FOR EACH STATEMENT EXECUTE FUNCTION full_disk()
"""


@shared_task(bind=True, base=EventTask, name="tests.put_off")
def task(self: object, envelope: Envelope) -> None:
    raise Busy("not now", seconds=2)


@pytest.fixture
def received() -> Iterator[dict[str, Any]]:
    """The headers of a message of which SQS has counted as many receives as it may sleep."""
    count = consumers.get("email").max_retries + MOST_RECEIVES
    headers = {"consumer": "email", "queue": "email-bulk", "receive_count": count}
    headers |= {"sent_at": time.time(), "fifo": False}
    task.push_request(headers=headers, retries=0)
    yield headers
    task.pop_request()


def test_it_goes_while_sqs_still_has_receives_to_spare() -> None:
    assert 0 < MOST_RECEIVES < SPARE_RECEIVES


@pytest.mark.usefixtures("received")
def test_its_event_is_on_record_and_comes_to_the_same_queue_after_the_wait() -> None:
    event = replace(letter(), foreign=True)
    with pytest.raises(Ignore):
        task(event)
    dispatch = Dispatch.objects.get()
    assert (dispatch.event, dispatch.destination) == (Event.objects.get(pk=event.id), "email-bulk")
    assert dispatch.available_at - timezone.now() <= timedelta(seconds=2)
    assert not Handled.objects.exists()


def test_one_receive_less_and_it_sleeps(received: dict[str, Any]) -> None:
    received["receive_count"] -= 1
    with pytest.raises(Retry) as retry:
        task(letter())
    assert retry.value.when == 2
    assert not Dispatch.objects.exists()


@pytest.mark.usefixtures("received")
def test_after_a_failure_it_comes_late_enough_to_know_of_it() -> None:
    event = letter()
    Event.objects.keep(event)
    Handled.objects.count_attempt("email", event, OSError("no route"))
    with pytest.raises(Ignore):
        task(event)
    assert Dispatch.objects.get().available_at > event.time + timedelta(seconds=LONGEST_SLEEP)


@pytest.mark.usefixtures("received")
def test_what_has_no_event_sleeps_however_often_it_was_received() -> None:
    internal = replace(letter(), type=receipts.TYPE)
    with pytest.raises(Retry):
        task(internal)
    assert not Dispatch.objects.exists()


@pytest.mark.parametrize("internal", [False, True])
def test_while_the_database_answers_and_takes_nothing_its_last_receives_last_for_long(
    received: dict[str, Any], internal: bool
) -> None:
    with connection.cursor() as cursor:
        cursor.execute(_FULL_DISK)
    event = replace(letter(), type=receipts.TYPE) if internal else letter()
    waits = []
    for _ in range(SPARE_RECEIVES - MOST_RECEIVES):
        with pytest.raises(Retry) as retry:
            task(event)
        waits.append(retry.value.when)
        received["receive_count"] += 1
    assert sum(waits) > 3600, "not made a dead letter by SQS within a minute"
    assert max(waits) <= LONGEST_SLEEP


def test_on_a_fifo_queue_it_is_hidden_longer_instead_lest_its_successors_overtake_it(
    received: dict[str, Any],
) -> None:
    received["fifo"] = True
    with pytest.raises(Retry) as retry:
        task(letter())
    assert retry.value.when == hiding.WORN_WAIT
    assert not Dispatch.objects.exists()
