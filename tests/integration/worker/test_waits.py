"""Real workers and relays: what waits for the morning, or for its digest, comes then and once."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from django.db.models import F

from notifications.local.providers.client import SandboxClient
from notifications.models import Attempt, Delivery, DigestWindow, Dispatch
from orders_site.customers.models import Customer
from tests.conftest import Start
from tests.integration.worker import mails
from tests.waiting import wait_for

pytestmark = pytest.mark.django_db(transaction=True)

SETTINGS = {"DJANGO_SETTINGS_MODULE": "tests.night", "SQS_WAIT_SECONDS": "1"}
HOURS = timedelta(hours=3)


def pull_forward(reason: str) -> None:
    """What waits for that reason is due."""
    Delivery.objects.filter(state="pending").update(next_try_at=F("next_try_at") - HOURS)
    Dispatch.objects.filter(reason=reason).update(available_at=F("available_at") - HOURS)


def test_what_comes_at_night_is_told_once_when_it_is_over_where_the_customer_lives(
    worker: Start, relay: Start, sandbox: SandboxClient
) -> None:
    now = datetime.now(UTC)
    night = f"{now - timedelta(hours=1):%H:%M}-{now + timedelta(hours=2):%H:%M}"
    [order] = mails.orders(1)
    Customer.objects.update(time_zone="Etc/GMT")
    mails.send(order)
    worker("email", **SETTINGS, NIGHT=night)
    held = wait_for(lambda: Dispatch.objects.filter(reason="quiet_hours").first(), within=30)
    wait_for(lambda: mails.counts() == (0, 0), what="the message to be done")
    assert held.available_at > now + timedelta(hours=1)
    assert sandbox.accepted("email") == []

    pull_forward("quiet_hours")
    Customer.objects.update(time_zone="Etc/GMT-6")  # six hours on: it is no night there
    relay(**SETTINGS, NIGHT=night)

    wait_for(lambda: len(sandbox.accepted("email")) == 1, within=30)
    wait_for(lambda: Delivery.objects.get().state == Delivery.State.SENT)
    assert Attempt.objects.count() == 1


def test_several_events_are_told_in_one_mail(
    worker: Start, relay: Start, sandbox: SandboxClient
) -> None:
    orders = mails.send_many(3)
    worker("email", **SETTINGS, DIGESTED="order.created")
    wait_for(lambda: DigestWindow.objects.filter(items=3).exists(), within=30)
    wait_for(lambda: mails.counts() == (0, 0), what="the messages to be done")
    assert sandbox.accepted("email") == []

    pull_forward("digest")
    relay(**SETTINGS, DIGESTED="order.created")

    [mail] = wait_for(lambda: sandbox.accepted("email"), within=30)
    assert mail.event_type == "tests.digest"
    assert [f"Order {order.pk}:" in mail.text for order in orders] == [True] * 3
    told = Delivery.objects.filter(event_type="order.created", state="sent", reason="in_digest")
    wait_for(lambda: told.count() == 3)
    assert Attempt.objects.count() == 1
