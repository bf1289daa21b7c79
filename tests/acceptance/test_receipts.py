"""What providers say later moves the deliveries: provider → SNS → SQS → worker → row and admin."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from notifications import topology
from notifications.aws.arns import arns
from notifications.aws.clients import client
from notifications.envelope import write
from notifications.models import DeadLetter, Delivery, Event, Receipt
from orders_site.orders.services import ship_order
from tests.queues import depth
from tests.shop import a_customer, an_order
from tests.waiting import wait_for

pytestmark = pytest.mark.django_db(transaction=True)

KINDS = {
    # what the provider says, in this order: the state it brings the delivery to
    ("email", ("accepted", "delivered")): "delivered",
    ("email", ("accepted", "delayed")): "sent",
    ("email", ("accepted", "bounced")): "bounced",
    ("email", ("delivered", "complained")): "complained",
    ("email", ("accepted", "rejected")): "bounced",
    ("sms", ("accepted", "delivered")): "delivered",
    ("sms", ("delayed", "bounced")): "bounced",
    ("sms", ("rejected",)): "bounced",
    ("whatsapp", ("accepted", "delivered")): "delivered",
    ("whatsapp", ("accepted", "rejected")): "bounced",
}


@pytest.fixture
def publish(environment) -> Callable[[str], None]:
    """Publish any body to the receipts topic."""
    arn = arns().topic(topology.current().topic("receipts").physical)
    return lambda body: client("sns").publish(TopicArn=arn, Message=body)


def test_each_kind_of_each_provider_moves_its_delivery(
    receipts, raw_queue, worker, sandbox, publish
):
    wanted = {}
    for (channel, kinds), state in KINDS.items():
        customer = a_customer()
        address = {"email": customer.email, "sms": customer.phone, "whatsapp": customer.whatsapp}
        sandbox.script_receipts(channel, kinds, address=address[channel])
        event = shipped(an_order(customer=customer))
        raw_queue(channel).send(write(event.envelope()))
        wanted[event.subject, channel] = (state, sorted(kinds))
    worker("email", "sms", "whatsapp", "receipts", concurrency=8)

    wait_for(lambda: found() == wanted, within=60, what="every delivery to be told of")

    for body in (
        "hello",
        json.dumps({"specversion": "1.0"}),
        write(Event.objects.all()[0].envelope()),
    ):
        publish(body)
    publish(json.dumps(SOMEBODY_ELSES))
    wait_for(lambda: depth("receipts") == 0 and depth("receipts-dlq") == 3, within=20)
    assert not DeadLetter.objects.exists()
    assert not Event.objects.filter(type="delivery.receipt").exists()
    assert Receipt.objects.count() == sum(len(kinds) for _, kinds in KINDS)


SOMEBODY_ELSES = {
    "eventType": "Send",
    "send": {},
    "mail": {"timestamp": "2026-11-20T10:00:00.000Z", "messageId": "other", "tags": {"app": ["x"]}},
}


def shipped(order) -> Event:
    ship_order(order=order, tracking_code="1Z 42", carrier="DHL")
    return Event.objects.get(subject=f"order/{order.pk}", type="order.shipped")


def found() -> dict[tuple[str, str], tuple[str, list[str]]]:
    return {
        (row.subject, row.channel): (row.state, sorted(row.receipts.values_list("kind", flat=True)))
        for row in Delivery.objects.all()
    }
