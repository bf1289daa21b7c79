"""A provider's silence is neither sent nor failed: it is unknown until somebody knows better."""

from __future__ import annotations

import json

import pytest

from notifications import topology
from notifications.aws.arns import arns
from notifications.aws.clients import client
from notifications.channels.correlation import Correlation, to_ses_tags
from notifications.envelope import write
from notifications.models import Attempt, Delivery, Event, Handled, Receipt
from orders_site.orders.services import ship_order
from tests.queues import depth
from tests.shop import a_customer, an_order
from tests.waiting import wait_for

pytestmark = pytest.mark.django_db(transaction=True)

IMPATIENT = {"DJANGO_SETTINGS_MODULE": "tests.short_leases"}
"""Two seconds for an answer, leases of four."""


@pytest.fixture
def event(environment) -> Event:
    order = an_order()
    ship_order(order=order, tracking_code="1Z 42", carrier="DHL")
    return Event.objects.get(subject=f"order/{order.pk}", type="order.shipped")


def state_of(channel: str) -> str | None:
    return Delivery.objects.filter(channel=channel).values_list("state", flat=True).first()


def attempts_of(channel: str) -> list[tuple[str, str]]:
    """(outcome, code) of each, in order."""
    found = Attempt.objects.filter(delivery__channel=channel).order_by("number")
    return list(found.values_list("outcome", "code"))


def test_each_channel_deals_with_silence_by_its_policy(
    event, receipts, raw_queue, worker, manage, sandbox
):
    """The provider takes all three, and says so to nobody."""
    sandbox.script("sms", "delay", seconds=3, times=1)
    for channel in ("email", "whatsapp"):
        sandbox.script(channel, "accept_then_drop", times=1)
        sandbox.script_receipts(channel, [])
    worker("email", "sms", "whatsapp", "receipts", **IMPATIENT)
    for channel in ("email", "sms", "whatsapp"):
        raw_queue(channel).send(write(event.envelope()))

    # SMS waits for a receipt, which comes.
    wait_for(lambda: state_of("sms") == "unknown", within=20, what="the answer not to come")
    wait_for(lambda: state_of("sms") == "delivered", within=20, what="the receipt to settle it")
    assert attempts_of("sms") == [("sent", "read_timeout")]
    assert sandbox.requests("sms") == 1

    # WhatsApp waits for a receipt in vain, then for an operator.
    wait_for(lambda: state_of("whatsapp") == "unknown", within=20)
    listed = json.loads(manage("deliveries", "list", "--state", "unknown", "--json"))
    [unknown] = listed["deliveries"]
    assert "@" not in json.dumps(listed)
    settle = ("deliveries", "settle", unknown["tag"], "--as", "sent", "--by", "mira")
    manage(*settle, "--reason", "Meta's manager shows it")
    told = Delivery.objects.get(channel="whatsapp")
    assert (told.state, told.reason) == ("sent", "settled_by_operator")
    assert told.last_error == "Settled as sent by mira: Meta's manager shows it"
    whatsapp = raw_queue("whatsapp")
    whatsapp.send(write(event.envelope()))
    wait_for(lambda: whatsapp.held() == 0, within=20, what="a second copy to be a duplicate")
    assert sandbox.requests("whatsapp") == 1

    # Email is sent again, once, and that is counted.
    wait_for(lambda: state_of("email") == "sent", within=20, what="the mail to be sent again")
    assert attempts_of("email") == [("unknown", "connection_lost"), ("sent", "")]
    assert len(sandbox.accepted("email")) == 2
    assert Attempt.objects.unknown_retried() == 1
    publish_send_event(Delivery.objects.get(channel="email"), attempt=1)
    wait_for(lambda: Receipt.objects.filter(delivery__channel="email").exists(), within=20)
    assert attempts_of("email") == [("sent", "connection_lost"), ("sent", "")]
    assert Attempt.objects.doubled_by_policy() == Attempt.objects.unknown_retried() == 1


def test_a_receipt_settles_what_a_killed_worker_was_sending(
    event, receipts, raw_queue, worker, sandbox
):
    sandbox.script("sms", "delay", seconds=1, times=1)
    raw_queue("sms").send(write(event.envelope()))
    first = worker("sms", **IMPATIENT)
    wait_for(lambda: sandbox.requests("sms") == 1, within=30, what="the text to be on its way")
    first.kill()
    wait_for(lambda: sandbox.accepted("sms"), within=10, what="the provider to have it")
    assert state_of("sms") == "sending"

    worker("receipts", **IMPATIENT)

    wait_for(lambda: state_of("sms") == "delivered", within=30, what="its lease to end")
    assert attempts_of("sms") == [("sent", "lease_expired")]
    assert Receipt.objects.exclude(moved_to="").exists()
    wait_for(lambda: depth("receipts") == 0, within=20, what="every receipt to be done")
    assert not Handled.objects.filter(consumer="receipts").exclude(outcome="done").exists()


def test_a_provider_that_hangs_for_each_device_does_not_make_the_worker_begin_anew(
    environment, raw_queue, worker, sandbox
):
    """Its silences together last longer than a run may."""
    order = an_order(customer=a_customer(devices=3))
    event = Event.objects.get(subject=f"order/{order.pk}", type="order.created")
    sandbox.script("push", "delay", seconds=3, times=3)
    raw_queue("push").send(write(event.envelope()))
    working = worker("push", **IMPATIENT)

    wait_for(lambda: depth("push") == 0, within=30, what="each device to have been tried")

    told = Delivery.objects.filter(channel="push")
    assert list(told.values_list("state", "attempts")) == [("unknown", 1)] * 3
    assert sandbox.requests("push") == 3
    assert "for longer than its maximum" not in working.log
    assert not Handled.objects.filter(consumer="push").exists()


def publish_send_event(delivery: Delivery, *, attempt: int) -> None:
    """SES says late that it took this attempt."""
    tag = f"{delivery.pk}.{delivery.generation}.{attempt}"
    tags = {each["Name"]: [each["Value"]] for each in to_ses_tags(Correlation(tag))}
    mail = {"timestamp": "2026-11-20T10:00:00.000Z", "messageId": "late", "tags": tags}
    client("sns").publish(
        TopicArn=arns().topic(topology.current().topic("receipts").physical),
        Message=json.dumps({"eventType": "Send", "send": {}, "mail": mail}),
    )
