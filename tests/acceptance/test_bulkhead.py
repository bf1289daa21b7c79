"""A worker that serves two channels keeps the pace of one while the other's provider hangs."""

from __future__ import annotations

import pytest

from orders_site.orders.services import ship_order
from tests.shop import a_customer, an_order
from tests.waiting import wait_for

pytestmark = [pytest.mark.S0, pytest.mark.django_db(transaction=True)]

ORDERS = 20
AT_THE_PROVIDER = 0.1
"""Seconds that each mail takes there."""


def test_s0_mail_is_as_fast_while_sms_hangs_in_the_same_worker(relay, worker, sandbox):
    sandbox.script("email", "delay", seconds=AT_THE_PROVIDER)
    relay()
    worker("email", "sms", pool="threads", concurrency=8)

    def seconds_for_mails() -> float:
        """From the first to the last mail of orders that are placed and shipped."""
        before = len(sandbox.accepted("email"))
        for _ in range(ORDERS):
            ship_order(order=an_order(customer=a_customer()), carrier="DHL", tracking_code="1Z42")
        mails = 2 * ORDERS
        wait_for(lambda: len(sandbox.accepted("email")) == before + mails, within=60)
        moments = [message.accepted_at for message in sandbox.accepted("email")[before:]]
        return (max(moments) - min(moments)).total_seconds()

    healthy = seconds_for_mails()
    wait_for(lambda: len(sandbox.accepted("sms")) == ORDERS)
    sandbox.script("sms", "hang")
    hanging = seconds_for_mails()
    assert sandbox.counts()["sms"]["outcomes"]["hang"] >= 4, "half of the pool hangs"
    assert hanging < 2 * healthy
