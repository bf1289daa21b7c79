"""Forged events: under our own name, where FOREIGN_EVENTS says who else is believed."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from celery import shared_task
from django.db import InternalError, connection, transaction

from notifications import envelope as wire
from notifications.conf import conf
from notifications.envelope import Envelope
from notifications.identifiers import uuid7
from notifications.models import Event, Handled
from notifications.provenance import NotRecorded, prove
from notifications.worker.task import EventTask
from tests.shop import a_customer, an_order

pytestmark = pytest.mark.django_db

done: list[Envelope] = []


@shared_task(bind=True, base=EventTask, name="tests.provenance")
def task(self: object, envelope: Envelope) -> None:
    done.append(envelope)


@pytest.fixture(autouse=True)
def _only_our_outbox_is_believed(settings: Any) -> None:
    settings.NOTIFICATIONS = {**settings.NOTIFICATIONS, "FOREIGN_EVENTS": []}


@pytest.fixture
def ours() -> Envelope:
    an_order(customer=a_customer())
    return Event.objects.get(type="order.created").envelope()


@pytest.fixture
def _received() -> Iterator[None]:
    headers = {"consumer": "email", "queue": "email", "receive_count": 1, "sent_at": time.time()}
    task.push_request(headers=headers, retries=0)
    done.clear()
    yield
    task.pop_request()


@pytest.mark.usefixtures("_received")
def test_what_the_outbox_has_not_recorded_just_so_is_not_done(ours: Envelope) -> None:
    other_facts = {**ours.data, "order_id": ours.data["order_id"] + 1}
    for forged in (
        replace(ours, id=uuid7()),
        replace(ours, type="order.cancelled", data={"order_id": 1, "reason": "out_of_stock"}),
        replace(ours, data=other_facts, subject="order/2"),
        replace(ours, time=ours.time - timedelta(days=1)),
        replace(ours, announcement=1),
    ):
        with pytest.raises(NotRecorded):
            task(wire.write(forged))
    assert not done
    assert not Handled.objects.exists(), "nothing is put down to the true one"
    task(wire.write(replace(ours, generation=1)))
    assert done == [replace(ours, generation=1)]


def test_a_server_that_only_reads_proves_nothing(ours: Envelope) -> None:
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET TRANSACTION READ ONLY")
        prove(ours)
        with pytest.raises(InternalError, match="read-only"):
            prove(replace(ours, id=uuid7()))
        transaction.set_rollback(True)  # writes again: how the transaction began, it goes on


def test_whoever_may_publish_is_believed_unless_somebody_says_otherwise(
    ours: Envelope, settings: Any
) -> None:
    settings.NOTIFICATIONS = {**settings.NOTIFICATIONS, "FOREIGN_EVENTS": None}
    assert conf().foreign_events is None
    prove(replace(ours, id=uuid7()))
