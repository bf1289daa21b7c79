"""A fallback with real processes: the topic reaches its first channel, the outbox the others."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from notifications import pauses
from notifications.local.providers.client import SandboxClient
from notifications.models import Delivery, Pause
from orders_site.orders.models import Order
from orders_site.orders.services import ship_order
from tests import told_once
from tests.conftest import Start
from tests.integration.worker import mails
from tests.shop import a_customer, an_order
from tests.waiting import wait_for

pytestmark = pytest.mark.django_db(transaction=True)

TOLD_ONCE = {"DJANGO_SETTINGS_MODULE": "tests.told_once", "SQS_WAIT_SECONDS": "1"}


def shipped() -> Order:
    order = an_order(customer=a_customer(devices=1, whatsapp_consent=False))
    ship_order(order=order, carrier="DHL", tracking_code="1Z 42")
    return order


def told_by(sandbox: SandboxClient, order: Order) -> list[str]:
    return [
        message.channel
        for message in sandbox.accepted()
        if (message.subject, message.event_type) == (f"order/{order.pk}", "order.shipped")
    ]


def deliveries(order: Order) -> dict[str, tuple[str, str]]:
    found = Delivery.objects.filter(subject=f"order/{order.pk}", event_type="order.shipped")
    return {
        channel: (state, why)
        for channel, state, why in found.values_list("channel", "state", "reason")
    }


def test_whoever_is_reached_by_one_channel_is_told_by_that_alone(
    manage: Callable[..., str],
    worker: Start,
    relay: Start,
    sandbox: SandboxClient,
    settings: Any,
) -> None:
    settings.NOTIFICATIONS = told_once.NOTIFICATIONS
    manage("provision", **TOLD_ONCE)
    relay(**TOLD_ONCE)
    worker("push", "sms", "email", **TOLD_ONCE)

    at_once = shipped()
    wait_for(lambda: told_by(sandbox, at_once) == ["push"], within=30)

    sandbox.script("push", "refuse", code="UNREGISTERED")
    refused = shipped()
    wait_for(lambda: told_by(sandbox, refused) == ["sms"], within=30)
    sandbox.script("push", "accept")

    pauses.pause(Pause.Kind.CHANNEL, "push", by="ada", reason="the account is being moved")
    wait_for(lambda: mails.is_known_by_now(Pause.Kind.CHANNEL, "push"))
    stuck = shipped()
    wait_for(lambda: told_by(sandbox, stuck) == ["sms"], within=40, what="its time to be over")
    pauses.resume(Pause.Kind.CHANNEL, "push", by="ada")
    wait_for(lambda: deliveries(stuck).get("push") == ("skipped", "told_already"), within=30)

    assert deliveries(at_once) == {"push": ("sent", "")}
    assert deliveries(refused)["sms"] == ("sent", "")
    assert deliveries(refused)["push"][0] == "failed"
    assert [told_by(sandbox, order) for order in (at_once, refused, stuck)] == [
        ["push"],
        ["sms"],
        ["sms"],
    ]
