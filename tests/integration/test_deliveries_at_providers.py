"""A shop's order told over every channel, by the real SDKs to the provider sandbox."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from django.db.models.functions import Now

from notifications import webhooks
from notifications.conf import ChannelConf, Route
from notifications.deliveries import deliver
from notifications.envelope import Envelope
from notifications.exceptions import PermanentError, TransientError
from notifications.local.providers.client import SandboxClient
from notifications.models import Attempt, Delivery, Event
from notifications.retries import RetryPolicy
from orders_site.customers.models import Customer, Device
from orders_site.orders.services import ship_order
from orders_site.recipients import forget_device
from tests.shop import a_customer, an_order

pytestmark = pytest.mark.django_db

CHANNELS = ["email", "sms", "whatsapp", "push"]
POLICY = RetryPolicy(max_retries=3, backoff=2)
State = Delivery.State


@pytest.fixture
def shipped() -> Envelope:
    """`order.shipped`, which the shop tells over all four channels."""
    order = an_order(customer=a_customer(devices=2))
    ship_order(order=order, carrier="DHL", tracking_code="1Z42")
    return Event.objects.get(type="order.shipped").envelope()


@pytest.fixture(autouse=True)
def _impatient(settings: Any) -> None:
    """The shop's channels as they are, but waiting half a second for an answer."""
    channels = {
        name: replace(channel, options={**channel.options, "read_timeout": 0.5})
        for name, channel in settings.NOTIFICATIONS["CHANNELS"].items()
        if isinstance(channel, ChannelConf)
    }
    settings.NOTIFICATIONS = {**settings.NOTIFICATIONS, "CHANNELS": channels}


def tell(envelope: Envelope, channel: str) -> None:
    deliver(envelope, channel=channel, policy=POLICY)


@pytest.mark.parametrize("channel", CHANNELS)
def test_what_the_provider_accepted_is_what_is_on_record(
    sandbox: SandboxClient, shipped: Envelope, channel: str
) -> None:
    tell(shipped, channel)

    accepted = {message.tag: message for message in sandbox.accepted(channel)}
    attempts = {attempt.tag: attempt for attempt in Attempt.objects.select_related("delivery")}
    assert len(accepted) == (2 if channel == "push" else 1)
    assert accepted.keys() == attempts.keys()
    for tag, message in accepted.items():
        delivery = attempts[tag].delivery
        assert delivery.state == State.SENT
        assert message.address == delivery.address
        assert (message.event_type, message.subject) == ("order.shipped", shipped.subject)
        assert attempts[tag].provider_message_id == delivery.provider_message_id
        assert message.provider_message_id in delivery.provider_message_id


@pytest.mark.parametrize("channel", CHANNELS)
def test_a_throttled_delivery_is_sent_at_the_next_try(
    sandbox: SandboxClient, shipped: Envelope, channel: str
) -> None:
    sandbox.script(channel, "throttle", times=1)

    with pytest.raises(TransientError) as told:
        tell(shipped, channel)
    assert told.value.counted
    Delivery.objects.update(next_try_at=Now())
    tell(shipped, channel)

    assert set(Delivery.objects.values_list("state", flat=True)) == {State.SENT}


@pytest.mark.parametrize(
    ("channel", "code"),
    [("email", "MessageRejected"), ("sms", "ValidationException"), ("push", "INVALID_ARGUMENT")],
)
def test_a_refused_delivery_has_failed_for_good(
    sandbox: SandboxClient, shipped: Envelope, channel: str, code: str
) -> None:
    sandbox.script(channel, "refuse", code=code)

    with pytest.raises(PermanentError):
        tell(shipped, channel)
    tell(shipped, channel)

    assert set(Delivery.objects.values_list("state", "reason")) == {(State.FAILED, code)}
    assert set(Attempt.objects.values_list("number", flat=True)) == {1}


@pytest.mark.parametrize("channel", ["sms", "whatsapp", "push"])
@pytest.mark.parametrize("behaviour", ["hang", "accept_then_drop"])
def test_an_answer_that_never_came_leaves_the_delivery_unknown(
    sandbox: SandboxClient, shipped: Envelope, channel: str, behaviour: str
) -> None:
    sandbox.script(channel, behaviour)

    tell(shipped, channel)
    tell(shipped, channel)

    assert set(Delivery.objects.values_list("state", "next_try_at")) == {(State.UNKNOWN, None)}
    assert set(Attempt.objects.values_list("number", "outcome")) == {(1, Attempt.Outcome.UNKNOWN)}


def test_an_email_whose_answer_never_came_is_sent_again_and_both_are_on_record(
    sandbox: SandboxClient, shipped: Envelope
) -> None:
    sandbox.script("email", "accept_then_drop", times=1)
    with pytest.raises(TransientError):
        tell(shipped, "email")
    Delivery.objects.update(next_try_at=Now())

    tell(shipped, "email")

    outcomes = Attempt.objects.order_by("number").values_list("outcome", flat=True)
    assert list(outcomes) == [Attempt.Outcome.UNKNOWN, Attempt.Outcome.SENT]
    tags = [message.tag for message in sandbox.accepted("email")]
    assert tags == [attempt.tag for attempt in Attempt.objects.order_by("number")]


def test_one_dead_token_is_forgotten_and_does_not_hurt_the_others(
    sandbox: SandboxClient, shipped: Envelope
) -> None:
    dead, alive = Device.objects.order_by("pk")
    sandbox.script("push", "refuse", code="UNREGISTERED", address=dead.token)

    with pytest.raises(PermanentError, match="UNREGISTERED"):
        tell(shipped, "push")
    tell(shipped, "push")

    assert list(Device.objects.all()) == [alive]
    assert [each.address for each in sandbox.accepted("push")] == [alive.token]
    states = dict(Delivery.objects.values_list("recipient", "state"))
    assert set(states.values()) == {State.SENT, State.FAILED}


def test_a_token_is_forgotten_only_while_it_is_that_device_s(shipped: Envelope) -> None:
    """Race: the app registered anew while FCM refused its old token."""
    device = Device.objects.earliest("pk")
    reference = f"customer/{device.customer_id}/device/{device.pk}"

    for channel, named, token in (
        ("push", reference, "an older token"),
        ("push", f"customer/{device.customer_id}", device.token),
        ("webhook", "endpoint/1", device.token),
    ):
        forget_device(channel, named, token)
        assert Device.objects.filter(pk=device.pk).exists()
    forget_device("push", reference, device.token)

    assert not Device.objects.filter(pk=device.pk).exists()


@pytest.mark.parametrize(
    ("channel", "field", "address"),
    [("email", "email", "nobody"), ("sms", "phone", "0151"), ("whatsapp", "whatsapp", "+49")],
)
def test_an_address_of_a_wrong_form_is_skipped_and_no_provider_is_asked(
    sandbox: SandboxClient, shipped: Envelope, channel: str, field: str, address: str
) -> None:
    Customer.objects.update(**{field: address})

    tell(shipped, channel)

    assert list(Delivery.objects.values_list("state", "reason")) == [
        (State.SKIPPED, "invalid_address")
    ]
    assert sandbox.requests(channel) == 0


def test_on_staging_nobody_is_reached_who_is_not_allowed(
    sandbox: SandboxClient, shipped: Envelope, settings: Any
) -> None:
    tester = Device.objects.earliest("pk")
    settings.NOTIFICATIONS = settings.NOTIFICATIONS | {"ALLOWED_RECIPIENTS": (tester.token,)}

    for channel in CHANNELS:
        tell(shipped, channel)

    assert [each.address for each in sandbox.accepted()] == [tester.token]
    reasons = Delivery.objects.exclude(reason="").values_list("reason", flat=True)
    assert list(reasons) == ["not_allowed_here"] * 4


def test_the_shop_posts_an_event_to_its_partners_with_facts_and_no_address(
    sandbox: SandboxClient, shipped: Envelope, settings: Any
) -> None:
    routes = {"order.shipped": [Route("webhook")]}
    settings.NOTIFICATIONS = settings.NOTIFICATIONS | {"ROUTES": routes}
    url = f"{sandbox.url}/webhooks/warehouse"
    sandbox.webhook_secret("warehouse", webhooks.add(name="warehouse", url=url, by="ops").secret)

    tell(shipped, "webhook")

    [taken] = sandbox.accepted("webhook")
    assert json.loads(taken.text)["data"] == shipped.data
    assert Customer.objects.get().email not in taken.text
    assert Delivery.objects.get().state == State.SENT
