"""`notifications.testing` on the shop, as one of its developers would use it."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.utils import timezone

from notifications import schedule
from notifications.conf import Digest, Fallback, Route
from notifications.exceptions import TransientError
from notifications.local.providers.client import SandboxClient
from notifications.models import Delivery
from notifications.testing import deliver_in_process
from orders_site import settings as shop
from orders_site.events import OrderShipped
from orders_site.orders.models import Order
from orders_site.orders.services import cancel_order, ship_order
from tests.shop import a_customer, an_order

pytestmark = pytest.mark.django_db

TEMPLATES = Path(__file__).parents[1] / "templates"
SHOPS_TEMPLATES = shop.TEMPLATES[0]["DIRS"]


def test_an_order_and_its_receipt_are_told_by_email_and_push(sandbox: SandboxClient) -> None:
    customer = a_customer(devices=1)

    with deliver_in_process() as told:
        order = an_order(customer=customer)

    assert {(message.event_type, message.channel) for message in told.messages} == {
        (kind, channel)
        for kind in ("order.created", "payment.completed")
        for channel in ("email", "push")
    }
    email, receipt = told.by("email")
    assert receipt.event_type == "payment.completed"
    assert email.address == customer.email
    assert str(order.pk) in email.subject
    assert email.html
    assert email.about == f"order/{order.pk}"


def test_what_became_untrue_before_it_was_told_is_skipped(sandbox: SandboxClient) -> None:
    with deliver_in_process() as told:
        order = an_order(customer=a_customer(devices=1))
        ship_order(order=order, carrier="DHL", tracking_code="1Z42")
        told.run()
        second = an_order()
        cancel_order(order=second, reason="out_of_stock")

    untold = told.deliveries.filter(subject=f"order/{second.pk}", event_type="order.created")
    assert {delivery.state for delivery in untold} == {Delivery.State.SKIPPED}
    assert len(told.by("whatsapp")) == 1


def test_a_transient_failure_is_kept_with_its_wait_when_failures_are_expected(
    sandbox: SandboxClient,
) -> None:
    with deliver_in_process(raise_failures=False) as told:
        told.script("email", "throttle", retry_after=30, times=1)
        an_order()

    (failure,) = told.failures
    assert failure.consumer == "email"
    assert isinstance(failure.error, TransientError)
    assert failure.error.retry_after == 30
    told_of = told.deliveries.get(channel="email", event_type="order.created")
    assert told_of.state == Delivery.State.RETRYING


def test_no_channels_provider_is_asked(sandbox: SandboxClient) -> None:
    with deliver_in_process():
        an_order()

    assert sandbox.requests("email") == 0


def test_a_fallback_goes_on_to_the_channel_that_succeeds(
    sandbox: SandboxClient, settings: Any
) -> None:
    rule = Fallback(("push", "sms", "email"), within=timedelta(minutes=30))
    settings.NOTIFICATIONS = {
        **settings.NOTIFICATIONS,
        "ROUTES": {**settings.NOTIFICATIONS["ROUTES"], "order.shipped": [rule]},
    }

    with deliver_in_process(raise_failures=False) as told:
        order = an_order(customer=a_customer(devices=1))
        told.run()
        told.script("push", "refuse", code="UNREGISTERED")
        ship_order(order=order, carrier="DHL", tracking_code="1Z 42")

    shipped = [each.channel for each in told.messages if each.event_type == "order.shipped"]
    assert shipped == ["sms"]


def test_a_digest_is_told_when_the_test_says_that_it_is_due(
    sandbox: SandboxClient, settings: Any
) -> None:
    digest = Digest("tests.digest", at="08:00")
    routes = settings.NOTIFICATIONS["ROUTES"] | {"order.created": [Route("email", digest=digest)]}
    settings.NOTIFICATIONS = settings.NOTIFICATIONS | {"ROUTES": routes}
    settings.TEMPLATES = [{**settings.TEMPLATES[0], "DIRS": [TEMPLATES, *SHOPS_TEMPLATES]}]
    customer = a_customer()

    with deliver_in_process() as told:
        orders = [an_order(customer=customer) for _ in range(2)]
        told.run()
        assert not [mail for mail in told.by("email") if mail.event_type == digest.name]

        told.come_due()

    (mail,) = [mail for mail in told.by("email") if mail.event_type == digest.name]
    assert mail.subject == "2 orders of yours"
    assert all(f"Order {order.pk}:" in mail.text for order in orders)
    assert mail.about.startswith("digest/")


def test_what_is_scheduled_is_told_when_the_test_says_that_it_is_due(
    sandbox: SandboxClient,
) -> None:
    order = an_order()
    Order.objects.filter(pk=order.pk).update(state=Order.State.SHIPPED)
    with deliver_in_process() as told:
        shipped = OrderShipped(order_id=order.pk, carrier="DHL")
        schedule.add(shipped, at=timezone.now() + timedelta(days=7))
        told.run()
        assert not told.messages

        told.come_due()

    assert {message.event_type for message in told.messages} == {"order.shipped"}
    with deliver_in_process() as told:
        schedule.add(shipped, at=timezone.now())
    assert told.events, "that is due by the clock"
