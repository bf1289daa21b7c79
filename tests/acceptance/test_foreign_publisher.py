"""Another team publishes in its own flat shape: its events reach their deliveries all the same."""

from __future__ import annotations

import json

import pytest

from notifications import topology
from notifications.aws.clients import client
from notifications.models import Delivery, Event
from tests.waiting import wait_for

pytestmark = [pytest.mark.S2, pytest.mark.django_db(transaction=True)]


def topic_arn() -> str:
    name = topology.current().topic("order-events").physical
    topics = [t["TopicArn"] for t in client("sns").list_topics()["Topics"]]
    return next(arn for arn in topics if arn.endswith(f":{name}"))


def deliver_wrapped() -> None:
    """Let SNS wrap what it hands to the mail queue in its own envelope."""
    sns = client("sns")
    subscriptions = sns.list_subscriptions_by_topic(TopicArn=topic_arn())["Subscriptions"]
    name = topology.current().queue("email").physical
    arn = next(s["SubscriptionArn"] for s in subscriptions if s["Endpoint"].endswith(f":{name}"))
    sns.set_subscription_attributes(
        SubscriptionArn=arn, AttributeName="RawMessageDelivery", AttributeValue="false"
    )


@pytest.mark.parametrize("wrapped", [False, True], ids=["raw", "wrapped"])
def test_s2_a_flat_message_of_another_publisher_reaches_its_delivery(
    wrapped, order, worker, sandbox
):
    Event.objects.all().delete()  # ours never left the outbox: only the other publisher speaks
    if wrapped:
        deliver_wrapped()
    flat = {
        "event_type": "order.created",
        "order_id": order.pk,
        "timestamp": order.placed_at.isoformat(),
        "warehouse": "a fact that our model does not know",
    }
    worker("email")
    client("sns").publish(
        TopicArn=topic_arn(),
        Message=json.dumps(flat),
        MessageAttributes={"event_type": {"DataType": "String", "StringValue": "order.created"}},
    )
    wait_for(
        lambda: Delivery.objects.filter(state=Delivery.State.SENT).exists(),
        within=30,
        what="the delivery",
    )
    (mail,) = sandbox.accepted("email")
    assert (mail.address, mail.subject) == ("ada@example.org", f"order/{order.pk}")
    event = Event.objects.get()
    assert event.foreign
    assert event.id == Delivery.objects.get().event_id
    assert "email" in event.expected
