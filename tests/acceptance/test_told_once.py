"""A fallback with real processes: the topic reaches its first channel, the outbox the others."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db.models import F, QuerySet

from notifications import pauses
from notifications.local.providers.client import SandboxClient
from notifications.models import Delivery, Dispatch, Event, Pause
from orders_site.orders.models import Order
from orders_site.orders.services import ship_order
from tests import told_once
from tests.conftest import Start
from tests.shop import a_customer, an_order
from tests.waiting import wait_for

pytestmark = pytest.mark.django_db(transaction=True)

TOLD_ONCE = {"DJANGO_SETTINGS_MODULE": "tests.told_once", "SQS_WAIT_SECONDS": "1"}


def placed() -> Order:
    return an_order(customer=a_customer(devices=1, whatsapp_consent=False))


def ship(order: Order) -> Order:
    ship_order(order=order, carrier="DHL", tracking_code="1Z 42")
    return order


def let_pass(span: timedelta) -> None:
    """What is recorded, and not published yet, was so long ago."""
    Event.objects.update(time=F("time") - span, recorded_at=F("recorded_at") - span)
    Dispatch.objects.update(available_at=F("available_at") - span)


def steps_ahead() -> QuerySet[Dispatch]:
    return Dispatch.objects.filter(reason="fell_back", state=Dispatch.State.WAITING)


def told_by(sandbox: SandboxClient, order: Order, event_type: str = "order.shipped") -> list[str]:
    return [
        message.channel
        for message in sandbox.accepted()
        if (message.subject, message.event_type) == (f"order/{order.pk}", event_type)
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
    pauses.pause(Pause.Kind.CHANNEL, "push", by="ada", reason="the account is being moved")
    stuck = ship(placed())
    let_pass(told_once.RULE.share)
    relay(**TOLD_ONCE)
    worker("push", "sms", "email", **TOLD_ONCE)

    wait_for(lambda: told_by(sandbox, stuck) == ["sms"], within=60)
    pauses.resume(Pause.Kind.CHANNEL, "push", by="ada")
    wait_for(lambda: deliveries(stuck).get("push") == ("skipped", "told_already"), within=60)

    at_once = ship(placed())
    wait_for(lambda: told_by(sandbox, at_once) == ["push"], within=60)

    refused = placed()
    # The first that is refused is the device's last: it must be the one that is looked at.
    wait_for(lambda: "push" in told_by(sandbox, refused, "order.created"), within=60)
    sandbox.script("push", "refuse", code="UNREGISTERED")
    ship(refused)
    wait_for(lambda: told_by(sandbox, refused) == ["sms"], within=60)

    wait_for(lambda: not steps_ahead().exists(), within=60, what="the steps to be called off")
    assert deliveries(at_once) == {"push": ("sent", "")}
    assert deliveries(refused) == {"push": ("failed", "UNREGISTERED"), "sms": ("sent", "")}
    assert [told_by(sandbox, order) for order in (stuck, at_once, refused)] == [
        ["sms"],
        ["push"],
        ["sms"],
    ]
