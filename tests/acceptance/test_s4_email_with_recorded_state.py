"""S4: the state is checked before a mail is sent, and a message delivered twice is sent once."""

from __future__ import annotations

import pytest
from django.utils import timezone

from notifications import topology
from notifications.aws.clients import client
from notifications.envelope import write
from notifications.models import Attempt, Delivery, Event
from tests.shop import an_order
from tests.waiting import wait_for

pytestmark = [pytest.mark.S4, pytest.mark.django_db(transaction=True)]

IMPATIENT = {"DJANGO_SETTINGS_MODULE": "tests.short_leases"}


def body_of(order) -> str:
    return write(Event.objects.get(subject=f"order/{order.pk}").envelope())


def mails(sandbox) -> list[str]:
    return [message.address for message in sandbox.accepted("email")]


def test_s4_the_queue_is_created_when_it_is_missing(environment, manage):
    sqs, name = client("sqs"), topology.current().queue("email").physical
    sqs.delete_queue(QueueUrl=sqs.get_queue_url(QueueName=name)["QueueUrl"])
    manage("provision")
    assert sqs.get_queue_url(QueueName=name)["QueueUrl"]


def test_s4_the_state_is_checked_before_a_mail_is_sent(order, raw_queue, worker, sandbox):
    """Somebody settled this delivery already: the message is done without asking the provider."""
    event = Event.objects.get(subject=f"order/{order.pk}")
    Delivery.objects.create(
        event=event,
        event_type=event.type,
        event_time=event.time,
        subject=event.subject,
        channel="email",
        route="customer",
        recipient=f"customer/{order.customer_id}",
        state=Delivery.State.SENT,
        sent_at=timezone.now(),
    )
    queue = raw_queue("email")
    queue.send(body_of(order))
    worker("email")
    wait_for(lambda: queue.held() == 0, within=30, what="the message to be done")
    assert sandbox.requests("email") == 0
    assert not Attempt.objects.exists()


@pytest.mark.trap(7)
def test_s4_a_message_delivered_twice_is_sent_once_also_while_its_first_copy_is_being_sent(
    order, raw_queue, worker, sandbox
):
    slow = an_order()
    sandbox.script("email", "delay", seconds=1.5, times=1, address=slow.customer.email)
    queue = raw_queue("email")
    for body in (body_of(order), body_of(order), body_of(slow)):
        queue.send(body)
    worker("email", **IMPATIENT)
    under_way = Delivery.objects.filter(subject=f"order/{slow.pk}", state=Delivery.State.SENDING)
    wait_for(under_way.exists, within=30, what="the slow one on its way")
    queue.send(body_of(slow))
    assert under_way.exists()
    wait_for(lambda: queue.held() == 0, within=60, what="both copies of both to be done")
    assert sorted(mails(sandbox)) == sorted(["ada@example.org", slow.customer.email])
    assert list(Delivery.objects.values_list("state", flat=True)) == [Delivery.State.SENT] * 2
    assert Attempt.objects.count() == 2


def test_s4_when_the_first_sender_died_the_second_sends_once(order, raw_queue, worker, sandbox):
    sandbox.script("email", "hang", times=1)
    queue = raw_queue("email")
    queue.send(body_of(order))
    first = worker("email", **IMPATIENT)
    wait_for(lambda: sandbox.requests("email") == 1, within=30, what="the first on its way")
    first.kill()
    queue.send(body_of(order))
    worker("email", **IMPATIENT)
    wait_for(lambda: queue.held() == 0, within=90, what="both copies to be done")
    assert mails(sandbox) == ["ada@example.org"]
    delivery = Delivery.objects.get()
    assert delivery.state == Delivery.State.SENT
    outcomes = delivery.attempt_log.order_by("number").values_list("outcome", flat=True)
    assert list(outcomes) == [Attempt.Outcome.UNKNOWN, Attempt.Outcome.SENT]
