"""A consumer of everything, for tests about publishing: its queue shows what went out."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager

from django.core.management import call_command
from django.db import transaction

from notifications import consumers, outbox
from notifications.models import Dispatch, Event
from orders_site.events import OrderCreated
from tests.queues import take_all

NAME = "ledger"


@contextmanager
def registered(*, inbox: bool = True) -> Iterator[None]:
    """While it lasts, the consumer is registered and its queues are there."""
    ours = consumers.Consumer(NAME, task="tests.ledger", wants=None, bulk=True, inbox=inbox)
    consumers.register(ours)
    try:
        call_command("provision", verbosity=0)
        yield
    finally:
        consumers.unregister(NAME)


def record_orders(count: int, *, first: int = 1) -> list[Event]:
    """`count` placed orders, each in a transaction of its own."""
    events = []
    for number in range(first, first + count):
        with transaction.atomic():
            events.append(outbox.record(OrderCreated(order_id=number)))
    return events


def all_published() -> bool:
    return not Dispatch.objects.exclude(state=Dispatch.State.PUBLISHED).exists()


def arrived() -> list[str]:
    """The ids of the events on the ledger's queue, in its order; what is there is taken."""
    return [json.loads(message["Body"])["id"] for message in take_all(NAME)]


def ids(events: list[Event]) -> list[str]:
    return [str(event.id) for event in events]
