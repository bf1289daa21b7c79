"""WhatsApp: a free text within 24 hours of the person's own message, else Meta's template."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from notifications.channels.base import ChannelAdapter, Message
from notifications.channels.whatsapp import EndUserMessagingWhatsApp
from notifications.conversations import note_inbound
from notifications.deliveries import deliver
from notifications.envelope import Envelope
from notifications.exceptions import PermanentError
from notifications.local.providers.client import SandboxClient
from notifications.models import Delivery, Event
from notifications.retries import RetryPolicy
from orders_site.orders.services import ship_order
from tests.channels import TAG, cloud_api, message_to
from tests.shop import a_customer, an_order

NUMBER = "+4915112345678"
TEMPLATE = {
    "name": "order_shipped",
    "language": {"code": "en"},
    "components": [
        {"type": "body", "parameters": [{"type": "text", "text": "Ada"}]},
    ],
}
Make = Callable[..., ChannelAdapter]


def social(**options: Any) -> EndUserMessagingWhatsApp:
    return EndUserMessagingWhatsApp("phone-number-id-01234567890123456789012345678901", **options)


@pytest.fixture(params=[social, cloud_api], ids=["social", "cloud"])
def make(request: pytest.FixtureRequest) -> Make:
    return request.param


def message(template: dict[str, Any]) -> Message:
    told = message_to(NUMBER)
    return replace(told, content=replace(told.content, template=template))


@pytest.fixture
def in_conversation(db: None) -> None:
    """The person wrote to us an hour ago; the provider writes numbers without a plus."""
    note_inbound("whatsapp", NUMBER.removeprefix("+"), timezone.now() - timedelta(hours=1))


@pytest.fixture
def silent(db: None) -> None:
    """The person wrote to us once, the day before yesterday."""
    note_inbound("whatsapp", NUMBER, timezone.now() - timedelta(hours=25))


def send(adapter: ChannelAdapter, told: Message) -> None:
    adapter.send(adapter.suited(told))


@pytest.mark.usefixtures("silent")
def test_outside_the_window_the_template_is_sent(make: Make, sandbox: SandboxClient) -> None:
    send(make(), message(TEMPLATE))

    (sent,) = sandbox.accepted("whatsapp")
    assert (sent.title, sent.text, sent.tag) == ("order_shipped (en)", "Ada", TAG)


@pytest.mark.usefixtures("in_conversation")
def test_within_the_window_the_text_is_sent(make: Make, sandbox: SandboxClient) -> None:
    send(make(), message(TEMPLATE))

    (sent,) = sandbox.accepted("whatsapp")
    assert (sent.title, sent.text) == ("", "Your order 7 is on its way: 24,90 €.")


@pytest.mark.usefixtures("silent")
def test_without_a_template_the_text_is_tried_unless_the_settings_say_otherwise(
    make: Make, sandbox: SandboxClient
) -> None:
    send(make(), message({}))
    with pytest.raises(PermanentError, match=r"whatsapp\.template\.json") as caught:
        send(make(outside_window="template"), message({}))

    assert caught.value.code == "outside_window"
    assert sandbox.requests("whatsapp") == 1


@pytest.mark.usefixtures("in_conversation")
def test_within_the_window_no_template_is_needed(make: Make, sandbox: SandboxClient) -> None:
    send(make(outside_window="template"), message({}))

    assert len(sandbox.accepted("whatsapp")) == 1


def test_whoever_has_no_template_asks_the_database_nothing(
    make: Make, django_assert_num_queries: DjangoAssertNumQueries, db: None
) -> None:
    with django_assert_num_queries(0):
        make().suited(message({}))
    with django_assert_num_queries(1):
        make().suited(message(TEMPLATE))


def test_another_word_for_it_is_refused(make: Make) -> None:
    with pytest.raises(ValueError, match='give "text" or "template"'):
        make(outside_window="nothing")


# The shop's own


def shipped(locale: str) -> Envelope:
    order = an_order(customer=a_customer(locale=locale, first_name='Ada "L"', whatsapp=NUMBER))
    ship_order(order=order, carrier="DHL", tracking_code="1Z42")
    return Event.objects.get(type="order.shipped").envelope()


@pytest.mark.django_db
@pytest.mark.parametrize("locale", ["en", "de"])
def test_a_shipped_order_is_told_by_the_shop_s_template(
    sandbox: SandboxClient, locale: str
) -> None:
    envelope = shipped(locale)

    deliver(envelope, channel="whatsapp", policy=RetryPolicy(max_retries=1, backoff=1))

    (sent,) = sandbox.accepted("whatsapp")
    number = str(envelope.data["order_id"])
    *places, link = sent.text.splitlines()
    assert sent.title == f"order_shipped ({locale})"
    assert places == ['Ada "L"', number, "DHL"]
    assert link.endswith(f"/orders/{number}/tracking")
    assert Delivery.objects.get(channel="whatsapp").state == Delivery.State.SENT


@pytest.mark.django_db
def test_a_customer_who_wrote_to_us_is_told_in_a_text(sandbox: SandboxClient) -> None:
    envelope = shipped("en")
    note_inbound("whatsapp", NUMBER, timezone.now())

    deliver(envelope, channel="whatsapp", policy=RetryPolicy(max_retries=1, backoff=1))

    (sent,) = sandbox.accepted("whatsapp")
    assert sent.text.startswith('Good news, Ada "L": your order')
