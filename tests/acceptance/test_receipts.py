"""What providers say later moves the deliveries: provider → SNS → SQS → worker → row and admin.

Or, where they call us: provider → web → outbox → relay → SQS → worker.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

import pytest

from notifications import topology
from notifications.aws.arns import arns
from notifications.aws.clients import client
from notifications.conversations import window_open
from notifications.envelope import write
from notifications.models import DeadLetter, Delivery, Dispatch, Event, Receipt, Suppression
from notifications.recipients import address_hash
from orders_site.orders.services import ship_order
from tests.queues import depth
from tests.receipt_calls import (
    PUBLIC_URL,
    WEBHOOKS,
    call_meta,
    call_twilio,
    meta_body,
    meta_status,
    twilio_form,
)
from tests.shop import a_customer, an_order
from tests.waiting import wait_for

pytestmark = pytest.mark.django_db(transaction=True)

KINDS = {
    # what the provider says, in this order: the state it brings the delivery to
    ("email", ("accepted", "delivered")): "delivered",
    ("email", ("accepted", "delayed")): "sent",
    ("email", ("accepted", "bounced")): "bounced",
    ("email", ("accepted", "soft_bounced")): "bounced",
    ("email", ("accepted", "opened")): "delivered",
    ("email", ("delivered", "clicked")): "delivered",
    ("email", ("delivered", "complained")): "complained",
    ("email", ("accepted", "rejected")): "bounced",
    ("sms", ("accepted", "delivered")): "delivered",
    ("sms", ("delayed", "bounced")): "bounced",
    ("sms", ("accepted", "soft_bounced")): "bounced",
    ("sms", ("rejected",)): "bounced",
    ("whatsapp", ("accepted", "delivered")): "delivered",
    ("whatsapp", ("accepted", "rejected")): "bounced",
    ("whatsapp", ("read",)): "delivered",
}
CALLS = {
    # who calls, and what is said: the channel, the state, the kind
    ("meta", "sent"): ("whatsapp", "sent", "accepted"),
    ("meta", "delivered"): ("whatsapp", "delivered", "delivered"),
    ("meta", "read"): ("whatsapp", "delivered", "read"),
    ("meta", "failed"): ("whatsapp", "bounced", "rejected"),
    ("twilio", "sent"): ("sms", "sent", "accepted"),
    ("twilio", "delivered"): ("sms", "delivered", "delivered"),
    ("twilio", "undelivered"): ("sms", "bounced", "soft_bounced"),
    ("twilio", "undelivered 30005"): ("sms", "bounced", "bounced"),
    ("twilio", "failed 21610"): ("sms", "bounced", "rejected"),
}


@pytest.fixture
def publish(environment) -> Callable[[str], None]:
    """Publish any body to the receipts topic."""
    arn = arns().topic(topology.current().topic("receipts").physical)
    return lambda body: client("sns").publish(TopicArn=arn, Message=body)


@pytest.fixture
def _webhooks(settings) -> None:
    settings.NOTIFICATIONS = settings.NOTIFICATIONS | {
        "RECEIPT_WEBHOOKS": WEBHOOKS,
        "PUBLIC_URL": PUBLIC_URL,
    }


@pytest.mark.usefixtures("_webhooks")
def test_each_kind_of_each_provider_moves_its_delivery(
    receipts, raw_queue, worker, relay, sandbox, publish
):
    wanted, shut_out, callers = {}, set(), {}
    for (channel, kinds), state in KINDS.items():
        customer = a_customer()
        address = {"email": customer.email, "sms": customer.phone, "whatsapp": customer.whatsapp}
        sandbox.script_receipts(channel, kinds, address=address[channel])
        event = shipped(an_order(customer=customer))
        raw_queue(channel).send(write(event.envelope()))
        wanted[event.subject, channel] = (state, sorted(kinds))
        if reason := SHUT_OUT.get((channel, kinds[-1])):
            shut_out.add((channel, address_hash(address[channel]), reason))
    for caller, (channel, _, _) in CALLS.items():
        customer = a_customer()
        sandbox.script_receipts(channel, [], address=getattr(customer, ADDRESS[channel]))
        event = shipped(an_order(customer=customer))
        raw_queue(channel).send(write(event.envelope()))
        wanted[event.subject, channel] = ("sent", [])
        callers[caller] = (event.subject, customer)
    # The shop's own events stay where they are: what is to be told lies on the queues.
    Dispatch.objects.all().delete()
    publishing = relay()
    worker("email", "sms", "whatsapp", "receipts", concurrency=8)

    wait_for(lambda: found() == wanted, within=60, what="every delivery to be told of")

    for (caller, word), (channel, state, kind) in CALLS.items():
        subject, customer = callers[caller, word]
        answer = call(caller, word, Delivery.objects.get(subject=subject, channel=channel))
        assert answer.status_code == 200, (caller, word)
        wanted[subject, channel] = (state, [kind])
        if word == "failed 21610":
            shut_out.add((channel, address_hash(customer.phone), "opt_out_reply"))
    wait_for(lambda: found() == wanted, within=60, what="every delivery that was called about")
    publishing.kill()  # or it would bring away the dead letters that are counted below

    publish(json.dumps(TEXTED_STOP))
    publish(json.dumps(whatsapp_message("491719990001", "Hello")))
    shut_out.add(("sms", address_hash("+491729990001"), "opt_out_reply"))
    columns = ("channel", "address_hash", "reason")
    wait_for(
        lambda: set(Suppression.objects.values_list(*columns)) == shut_out,
        within=20,
        what="every address that is at its end",
    )
    wait_for(lambda: window_open("whatsapp", "+491719990001"), within=20)

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
    assert Receipt.objects.count() == sum(len(kinds) for _, kinds in KINDS) + len(CALLS)


ADDRESS = {"sms": "phone", "whatsapp": "whatsapp"}
SHUT_OUT = {
    ("email", "bounced"): "hard_bounce",
    ("email", "complained"): "complaint",
    ("sms", "bounced"): "opt_out_reply",
}
TEXTED_STOP = {
    "originationNumber": "+491729990001",
    "destinationNumber": "+15005550006",
    "messageKeyword": "KEYWORD_0",
    "messageBody": "Stop",
    "inboundMessageId": "cae173d2-66b9-564c-8309-21f858e9fb84",
}
SOMEBODY_ELSES = {
    "eventType": "Send",
    "send": {},
    "mail": {"timestamp": "2026-11-20T10:00:00.000Z", "messageId": "other", "tags": {"app": ["x"]}},
}


def whatsapp_message(sender: str, text: str) -> dict[str, Any]:
    message = {
        "from": sender,
        "id": "wamid.W",
        "timestamp": str(int(time.time())),
        "type": "text",
        "text": {"body": text},
    }
    change = {"field": "messages", "value": {"messages": [message]}}
    return {"whatsAppWebhookEntry": json.dumps({"id": "0", "changes": [change]})}


def call(caller: str, word: str, delivery: Delivery) -> Any:
    tag = f"{delivery.pk}.{delivery.generation}.{delivery.attempts}"
    status, _, code = word.partition(" ")
    if caller == "meta":
        return call_meta(meta_body(meta_status(tag, status)))
    return call_twilio(twilio_form(status, ErrorCode=code, MessageSid=f"SM{delivery.pk}"), tag=tag)


def shipped(order) -> Event:
    ship_order(order=order, tracking_code="1Z 42", carrier="DHL")
    return Event.objects.get(subject=f"order/{order.pk}", type="order.shipped")


def found() -> dict[tuple[str, str], tuple[str, list[str]]]:
    return {
        (row.subject, row.channel): (row.state, sorted(row.receipts.values_list("kind", flat=True)))
        for row in Delivery.objects.all()
    }
