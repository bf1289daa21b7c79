"""What is given up becomes a dead letter, whatever else its message has to do."""

from __future__ import annotations

import pytest

from notifications.models import Delivery, Event
from tests.queues import depth
from tests.shop import a_customer, an_order
from tests.waiting import wait_for

pytestmark = pytest.mark.django_db(transaction=True)


def test_a_device_that_is_refused_is_a_dead_letter_although_the_other_was_tried_again(
    environment, relay, worker, sandbox
):
    order = an_order(customer=a_customer(devices=2))
    [first, second] = [device.token for device in order.customer.devices.order_by("pk")]
    sandbox.script("push", "refuse", address=first, code="INVALID_ARGUMENT", times=1)
    sandbox.script("push", "server_error", address=second, times=1)
    relay()
    worker("push")

    wait_for(lambda: depth("push-dlq") == 1, within=60, what="the dead letter")

    event = Event.objects.get(subject=f"order/{order.pk}")
    told = Delivery.objects.filter(event=event, channel="push").order_by("recipient")
    assert list(told.values_list("state", "attempts")) == [("failed", 1), ("sent", 2)]
    wait_for(lambda: depth("push") == 0, within=30, what="the message to be deleted")
    assert depth("push-dlq") == 1
