"""A FIFO topic: the events of one subject go out one after the other, whatever fails."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator
from datetime import timedelta
from io import StringIO
from typing import Any
from uuid import uuid4

import pytest
from django.core.management import call_command
from django.db import transaction
from django.utils import timezone

from notifications import envelope, jobs, outbox, topology
from notifications.models import DeadLetter, Dispatch, Event, Handled, Job
from notifications.publishing import in_order
from notifications.redrive import Redrive
from notifications.relay import Relay
from orders_site.events import OrderCancelled, OrderCreated, OrderShipped
from tests.integration import ledger
from tests.queues import take_all


@pytest.fixture(autouse=True)
def _fifo_ledger(transactional_db: None, settings: Any, empty_aws: None) -> Iterator[None]:
    # Both topics: the ledger takes all events, and one standard topic makes its queue one.
    fifo = {"FIFO_TOPICS": {"order-events", "stock-events"}}
    settings.NOTIFICATIONS = settings.NOTIFICATIONS | fifo
    with ledger.registered():
        yield


def _record_lives(orders: int) -> list[Event]:
    """Each order is placed, shipped and cancelled; the orders' events lie among each other."""
    events = []
    for kind in (OrderCreated, OrderShipped, OrderCancelled):
        for number in range(1, orders + 1):
            with transaction.atomic():
                events.append(outbox.record(kind(order_id=number)))
    return events


@pytest.mark.S1
def test_events_of_one_subject_arrive_in_their_order() -> None:
    events = _record_lives(orders=6)

    tally = Relay(once=True, rows=5).run()

    assert tally.published == len(events)
    types = defaultdict(list)
    for message in take_all(ledger.NAME):
        body = json.loads(message["Body"])
        types[body["subject"]].append(body["type"])
        assert message["Attributes"]["MessageGroupId"] == body["subject"]
        assert message["Attributes"]["MessageDeduplicationId"] == f"{body['id']}.0"
    assert len(types) == 6
    assert set(map(tuple, types.values())) == {
        ("order.created", "order.shipped", "order.cancelled")
    }


def test_of_one_subject_only_the_first_open_row_is_due() -> None:
    _record_lives(orders=2)

    claimed = Dispatch.objects.claim(100, in_order=in_order())

    assert [row.event.type for row in claimed] == ["order.created", "order.created"]
    assert Dispatch.objects.claim(100, in_order=in_order()) == []


def test_a_row_that_failed_holds_back_those_behind_it_but_no_other_subject() -> None:
    _record_lives(orders=2)
    first, second = Dispatch.objects.claim(100, in_order=in_order())

    Dispatch.objects.back_off(first.token, {first.pk: "InternalError"})
    Dispatch.objects.mark_published(second.token, {second.pk: "m-1"})

    (successor,) = Dispatch.objects.claim(100, in_order=in_order())
    assert (successor.subject, successor.event.type) == (second.subject, "order.shipped")


def test_a_row_that_waits_for_its_time_holds_back_those_behind_it() -> None:
    _record_lives(orders=1)
    first = Dispatch.objects.earliest("id")
    Dispatch.objects.filter(pk=first.pk).update(available_at=timezone.now() + timedelta(hours=1))

    assert Dispatch.objects.claim(100, in_order=in_order()) == []


def test_a_standard_destination_keeps_nobody_waiting() -> None:
    _record_lives(orders=1)

    assert len(Dispatch.objects.claim(100)) == 3


@pytest.mark.S1
def test_the_queue_of_a_consumer_of_fifo_topics_is_fifo_with_its_bulk_and_dead_letters() -> None:
    layout = topology.current()
    for name in (ledger.NAME, f"{ledger.NAME}-bulk", f"{ledger.NAME}-dlq"):
        assert layout.queue(name).physical.endswith(".fifo")


@pytest.mark.S1
def test_what_is_resent_and_replayed_travels_by_the_bulk_queue_in_its_subjects_group() -> None:
    created, *_ = _record_lives(orders=1)
    call_command("relay", once=True, verbosity=0)
    take_all(ledger.NAME)
    for _ in range(2):
        call_command(
            *("replay", ledger.NAME, "--subject", created.subject, "--reason", "lost"),
            stdout=StringIO(),
        )

    call_command("relay", once=True, verbosity=0)

    replayed = take_all(f"{ledger.NAME}-bulk")
    assert [json.loads(each["Body"])["type"] for each in replayed] == [
        *("order.created", "order.shipped", "order.cancelled"),
    ] * 2, "the second time is no duplicate of the first"
    assert {each["Attributes"]["MessageGroupId"] for each in replayed} == {created.subject}


@pytest.mark.S1
def test_a_dead_letter_is_redriven_in_its_subjects_group_and_is_no_duplicate() -> None:
    created, *_ = _record_lives(orders=1)
    call_command("relay", once=True, verbosity=0)
    take_all(ledger.NAME)
    letter = DeadLetter.objects.create(
        queue=ledger.NAME,
        message_id="m-1",
        body=envelope.write(created.envelope()).encode(),
        event_id=created.id,
        event_type=created.type,
        subject=created.subject,
        reason="failed",
    )

    looks = iter(range(50))

    def publish_and_do(job: Job) -> None:
        assert next(looks, None) is not None, f"it should be over: {job.counts}"
        call_command("relay", once=True, verbosity=0)
        Handled.objects.close_open(ledger.NAME, created.envelope(generation=1))

    wanted = {"id": [letter.pk]}
    job = jobs.begin(Redrive(), wanted, by="mira", reason="mended", rate=1000.0, stage=(1, 1))
    jobs.run(Redrive(), job.pk, said=publish_and_do)

    [came] = take_all(f"{ledger.NAME}-bulk")
    assert json.loads(came["Body"])["id"] == str(created.id)
    assert came["Attributes"]["MessageGroupId"] == created.subject


def test_an_event_sent_out_twice_arrives_once() -> None:
    """A relay that died after it had published: SNS knows the deduplication id."""
    _record_lives(orders=1)
    call_command("relay", once=True, verbosity=0)
    Dispatch.objects.update(state="waiting")

    call_command("relay", once=True, verbosity=0)

    assert len(take_all(ledger.NAME)) == 3


def test_an_event_put_on_its_queue_again_is_no_duplicate_of_its_first_publication() -> None:
    """SQS would drop it in silence, and a reopened delivery would never be sent."""
    (event, *_) = _record_lives(orders=1)
    call_command("relay", once=True, verbosity=0)
    take_all(ledger.NAME)
    with transaction.atomic():
        Dispatch.objects.postpone(
            event.envelope(), queue=ledger.NAME, until=timezone.now(), reason="reopened"
        )

    call_command("relay", once=True, verbosity=0)

    assert [json.loads(each["Body"])["id"] for each in take_all(ledger.NAME)] == [str(event.id)]


@pytest.mark.parametrize("subject", ["order 1", "ö/1", "x" * 129])
def test_a_subject_that_is_no_message_group_is_hashed(subject: str) -> None:
    Dispatch.objects.create(kind="topic", destination="order-events", subject=subject, body="{}")

    call_command("relay", once=True, verbosity=0)

    (message,) = take_all(ledger.NAME)
    assert len(message["Attributes"]["MessageGroupId"]) == 64


def test_a_result_is_taken_from_the_holder_of_the_token_only() -> None:
    _record_lives(orders=1)
    (row,) = Dispatch.objects.claim(1)

    assert Dispatch.objects.mark_published(uuid4(), {row.pk: "m-1"}) == 0
    assert Dispatch.objects.back_off(uuid4(), {row.pk: "no"}) == 0
    assert Dispatch.objects.release(uuid4(), [row.pk]) == 0
    assert Dispatch.objects.mark_published(row.token, {row.pk: "m-1"}) == 1
