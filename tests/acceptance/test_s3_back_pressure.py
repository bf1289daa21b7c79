"""S3: with no worker running, orders are accepted all the same, and worked off once one is."""

from __future__ import annotations

import json
from collections import Counter

import pytest

from notifications.models import Delivery
from orders_site.orders.models import Order
from tests.shop import a_customer, an_order
from tests.waiting import wait_for

pytestmark = [pytest.mark.S3, pytest.mark.django_db(transaction=True)]

ORDERS = 40


@pytest.fixture
def mail_queue(manage):
    """`mail_queue()`: its row in `manage.py queues`."""

    def mail_queue():
        told = json.loads(manage("queues", "--json"))
        assert told["trouble"] == ""
        return next(queue for queue in told["queues"] if queue["name"] == "email")

    return mail_queue


def is_empty(queue) -> bool:
    return queue["visible"] == queue["in_flight"] == queue["delayed"] == 0


def test_s3_orders_are_accepted_while_no_worker_runs_and_worked_off_once_it_does(
    mail_queue, relay, worker, sandbox
):
    customer = a_customer()
    relay()

    placed = [an_order(customer=customer) for _ in range(ORDERS)]

    assert Order.objects.filter(state=Order.State.PLACED).count() == ORDERS
    backlog = wait_for(
        lambda: (queue := mail_queue())["visible"] == ORDERS and queue,
        within=60,
        what="the whole backlog on the queue",
    )
    assert backlog["workers"] == []
    assert backlog["oldest_age"] > 0
    assert backlog["drains_in"] is None, "at this rate, never"
    assert sandbox.requests("email") == 0

    worker("email", concurrency=16)

    drained = wait_for(
        lambda: is_empty(queue := mail_queue()) and queue["oldest_age"] is None and queue,
        within=120,
        what="the queue to be drained",
    )
    assert drained["lag"]["count"] == ORDERS
    assert drained["dead_letters"] == {"in_sqs": 0, "open": 0}
    told = Counter(message.subject for message in sandbox.accepted("email"))
    assert told == {f"order/{order.pk}": 1 for order in placed}
    sent = Delivery.objects.filter(channel="email", state=Delivery.State.SENT)
    assert sent.count() == ORDERS
