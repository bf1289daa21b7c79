"""`--pool prefork`: the shop's own channels, in processes that open connections of their own."""

from __future__ import annotations

import pytest

from notifications.models import Delivery
from orders_site.orders.services import ship_order
from tests.shop import a_customer, an_order
from tests.waiting import wait_for

pytestmark = [pytest.mark.S3, pytest.mark.django_db(transaction=True)]

CHANNELS = ("email", "sms", "whatsapp", "push")


def test_forked_processes_tell_over_every_channel_once(relay, worker, sandbox):
    for channel in CHANNELS:
        sandbox.script(channel, "server_error", times=1)
    worker(*CHANNELS, pool="prefork", concurrency=2)
    for _ in range(5):
        order = an_order(customer=a_customer(devices=2))
        ship_order(order=order, carrier="DHL", tracking_code="1Z42")
    relay()
    # placed: a mail and two pushes; shipped: a mail, two pushes and each of the texts
    wanted = {"email": 10, "sms": 5, "whatsapp": 5, "push": 20}
    wait_for(
        lambda: Delivery.objects.filter(state=Delivery.State.SENT).count() == 40,
        within=60,
        what="every delivery to be sent",
    )
    for channel, count in wanted.items():
        accepted = [(m.subject, m.event_type, m.address) for m in sandbox.accepted(channel)]
        assert len(accepted) == len(set(accepted)) == count
        assert sandbox.requests(channel) == count + 1
