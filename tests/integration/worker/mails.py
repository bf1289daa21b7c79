"""Orders whose mails wait on the email queue, as SNS would have put them there."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.utils import timezone

from notifications import envelope, glance, topology
from notifications.aws.clients import client
from notifications.aws.sqs import queue_url
from notifications.models import Event, Pause
from orders_site.orders.models import Order
from tests.shop import a_customer, an_order


def orders(count: int) -> list[Order]:
    """So many of one customer, who is reached by mail alone."""
    customer = a_customer(push_consent=False, sms_consent=False, whatsapp_consent=False)
    return [an_order(customer=customer) for _ in range(count)]


def send(order: Order, event_type: str = "order.created", *, queue: str = "email") -> None:
    """The order's event of that type, onto the queue."""
    event = Event.objects.get(subject=f"order/{order.pk}", type=event_type)
    body = envelope.write(event.envelope())
    client("sqs").send_message(QueueUrl=url(queue), MessageBody=body)


def send_many(count: int) -> list[Order]:
    """So many orders, each with its message on the email queue."""
    placed = orders(count)
    for order in placed:
        send(order)
    return placed


def counts(queue: str = "email") -> tuple[int, int]:
    """Messages visible and in flight."""
    names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
    answer = client("sqs").get_queue_attributes(QueueUrl=url(queue), AttributeNames=names)
    visible, in_flight = (int(answer["Attributes"][name]) for name in names)
    return visible, in_flight


def receives(queue: str = "email") -> list[int]:
    """How often each visible message has been received before, by taking them out."""
    found: list[dict[str, Any]] = []
    while (
        messages := client("sqs")
        .receive_message(
            QueueUrl=url(queue),
            MaxNumberOfMessages=10,
            WaitTimeSeconds=0,
            AttributeNames=["ApproximateReceiveCount"],
        )
        .get("Messages")
    ):
        found += messages
    return [int(message["Attributes"]["ApproximateReceiveCount"]) - 1 for message in found]


def url(queue: str) -> str:
    return queue_url(topology.current().queue(queue).physical)


def is_known_by_now(kind: Pause.Kind, name: str) -> bool:
    """Whether the pause is older than what any worker saw last."""
    pause = Pause.objects.in_force().get(kind=kind, name=name)
    return timezone.now() - pause.paused_at > timedelta(seconds=glance.OLDEST)
