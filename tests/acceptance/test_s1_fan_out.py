"""S1: a topic per domain, a queue per consumer, and a consumer that comes and goes.

What S1 names and is not here is shown by a test marked S1 elsewhere: docs/systems.md has all.
"""

from __future__ import annotations

import json
from collections import defaultdict
from io import StringIO

import pytest
from django.core.management import call_command
from django.db import transaction

from notifications import outbox, topology
from notifications.aws.clients import client
from notifications.aws.sqs import queue_url
from notifications.conf import conf
from notifications.models import Event, Handled
from orders_site.events import OrderCreated, StockLow
from orders_site.orders.services import ship_order
from tests.integration import ledger
from tests.queues import depth, take_all
from tests.shop import a_customer, an_order
from tests.waiting import wait_for

pytestmark = [pytest.mark.S1, pytest.mark.django_db(transaction=True)]

LOYALTY = {"DJANGO_SETTINGS_MODULE": "tests.loyalty.settings"}
FOURTEEN_DAYS = 14 * 24 * 3600


def types_on(queue: str) -> set[str]:
    return {json.loads(message["Body"])["type"] for message in take_all(queue)}


def on_loyalty() -> int:
    """Messages on the queue of a consumer that is not registered here."""
    names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
    url = queue_url(f"{conf().prefix}-loyalty")
    counted = client("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=names)["Attributes"]
    return sum(map(int, counted.values()))


def points_for(order) -> bool:
    event = Event.objects.get(subject=f"order/{order.pk}", type="order.created")
    done = Handled.objects.filter(consumer="loyalty", event_id=event.id, outcome="done")
    return done.exists()


def test_s1_each_event_domain_has_a_topic_of_its_own(aws):
    with ledger.registered():
        with transaction.atomic():
            outbox.record(OrderCreated(order_id=1))
            outbox.record(StockLow(sku="MUG", on_hand=1, threshold=5))
        call_command("relay", once=True, verbosity=0)

        topics = {
            found["TopicArn"].rsplit(":", 1)[1] for found in client("sns").list_topics()["Topics"]
        }
        assert {"test-order-events", "test-stock-events"} <= topics
        assert types_on(ledger.NAME) == {"order.created", "stock.low"}
    assert types_on("email") == {"order.created"}, "mail is subscribed to what concerns orders"


def test_s1_every_queue_keeps_two_weeks_polls_for_20_seconds_and_has_a_dead_letter_queue(aws):
    for queue in topology.current().queues:
        url = queue_url(queue.physical)
        live = client("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=["All"])[
            "Attributes"
        ]
        assert int(live["MessageRetentionPeriod"]) == FOURTEEN_DAYS
        assert int(live["ReceiveMessageWaitTimeSeconds"]) == 20
        if not queue.role.is_grave:
            redrive = json.loads(live["RedrivePolicy"])
            assert redrive["deadLetterTargetArn"].endswith(f":test-{queue.consumer}-dlq")


def test_s1_a_new_consumer_is_a_queue_a_subscription_and_a_worker(
    environment, manage, relay, worker
):
    """The relay that publishes was started before anybody thought of it, and is not touched."""
    relay()
    early = an_order()
    wait_for(lambda: depth("email") == 1, within=30, what="the first order to be published")

    assert "test-loyalty" in manage("provision", **LOYALTY)
    worker("loyalty", **LOYALTY)
    late = an_order()

    wait_for(lambda: points_for(late), within=60, what="the new consumer to do its work")
    assert not points_for(early), "what was published before went to whom there was"
    assert depth("email") == 2, "the others get theirs as ever"


def test_s1_a_consumer_that_is_removed_leaves_its_queue_and_what_lies_in_it(environment, manage):
    manage("provision", **LOYALTY)
    an_order()
    call_command("relay", once=True, verbosity=0)
    assert on_loyalty() == 1

    for arguments in (["--check"], []):
        told = StringIO()
        call_command("provision", *arguments, stdout=told, no_color=True)
        assert "test-loyalty (no longer declared, holds 1 messages; left alone)" in told.getvalue()
    assert on_loyalty() == 1

    assert "1 messages" not in manage("provision", **LOYALTY), "declared again, it is no orphan"
    assert on_loyalty() == 1


@pytest.mark.usefixtures("fifo")
def test_s1_fifo_keeps_the_order_of_each_order_through_retries(environment, relay, worker, sandbox):
    sandbox.script("email", "server_error", times=3)
    orders = [an_order(customer=a_customer()) for _ in range(3)]
    for order in orders:
        ship_order(order=order, carrier="DHL", tracking_code="1Z42")
    worker("email")
    relay()

    wait_for(lambda: len(sandbox.accepted("email")) == 6, within=90, what="six mails")

    told = defaultdict(list)
    for message in sandbox.accepted("email"):
        told[message.subject].append(message.event_type)
    assert sandbox.requests("email") == 9, "three were tried again"
    assert set(map(tuple, told.values())) == {("order.created", "order.shipped")}
    assert set(told) == {f"order/{order.pk}" for order in orders}
