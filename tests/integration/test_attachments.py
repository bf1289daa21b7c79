"""What the shop's hook attaches goes with the email, and with nothing else."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from notifications.channels import mime
from notifications.channels.base import Attachment
from notifications.channels.mime import MAX_BYTES
from notifications.checks import check_hooks
from notifications.deliveries import deliver
from notifications.envelope import Envelope
from notifications.exceptions import PermanentError
from notifications.local.providers.client import SandboxClient
from notifications.models import Delivery, Event
from notifications.recipients import Recipient
from notifications.retries import RetryPolicy
from notifications.testing import deliver_in_process
from orders_site.orders.services import ship_order
from tests.channels import message_to
from tests.integration.operator_rows import EMAIL
from tests.shop import a_customer, an_order

pytestmark = pytest.mark.django_db

POLICY = RetryPolicy(max_retries=1, backoff=1)


def slip(envelope: Envelope, recipient: Recipient) -> Iterator[Attachment]:
    """A delivery note in the customer's language, for what is shipped."""
    if envelope.type == "order.shipped":
        name = "Lieferschein.pdf" if recipient.locale == "de" else "delivery note.pdf"
        yield Attachment(name, "application/pdf", b"%PDF-1.7")


def scan(envelope: Envelope, recipient: Recipient) -> list[Attachment]:
    return [Attachment("scan.tiff", "image/tiff", bytes(MAX_BYTES))]


@pytest.fixture
def attach(settings: Any) -> Any:
    """`attach(hook)`: the shop's ATTACHMENTS is this function of ours."""

    def attach(hook: str) -> None:
        settings.NOTIFICATIONS = {**settings.NOTIFICATIONS, "ATTACHMENTS": hook}

    return attach


@pytest.fixture
def shipped() -> Envelope:
    order = an_order(customer=a_customer(locale="de"))
    ship_order(order=order, carrier="DHL", tracking_code="1Z42")
    return Event.objects.get(type="order.shipped").envelope()


def test_the_email_has_what_the_shop_attaches(
    sandbox: SandboxClient, attach: Any, shipped: Envelope
) -> None:
    attach(f"{__name__}.slip")

    deliver(shipped, channel="email", policy=POLICY)
    deliver(shipped, channel="sms", policy=POLICY)

    (email,) = sandbox.accepted("email")
    (sms,) = sandbox.accepted("sms")
    assert (email.attachments, sms.attachments) == (("Lieferschein.pdf",), ())
    assert email.text.strip()


def test_the_link_to_unsubscribe_stays_a_link_in_an_email_that_is_written_here() -> None:
    """Read as a mail program reads it: encoded words would be undone by whoever parses them."""
    url = f"https://shop.example/notifications/unsubscribe/{'x' * 400}"

    email = mime.written(
        message_to(EMAIL),
        sender="shop@shop.example",
        recipient=EMAIL,
        headers={"List-Unsubscribe": f"<{url}>", "X-Event-Subject": "o" * 200, "X-Long": "ö" * 90},
    )

    lines = email.as_bytes().split(b"\r\n")
    assert f"List-Unsubscribe: <{url}>".encode() in lines
    assert b"X-Event-Subject: " + b"o" * 200 in lines
    assert max(map(len, lines)) <= mime.LONGEST_LINE
    assert email.as_bytes().isascii()


def test_what_is_too_large_is_given_up_with_its_reason(
    sandbox: SandboxClient, attach: Any, shipped: Envelope
) -> None:
    attach(f"{__name__}.scan")

    with pytest.raises(PermanentError, match="and may have 40"):
        deliver(shipped, channel="email", policy=POLICY)

    delivery = Delivery.objects.get(channel="email")
    assert (delivery.state, delivery.reason) == (Delivery.State.FAILED, "message_too_large")


def test_a_shop_s_own_tests_see_the_attachments(sandbox: SandboxClient, attach: Any) -> None:
    attach(f"{__name__}.slip")

    with deliver_in_process() as told:
        ship_order(order=an_order(), carrier="DHL", tracking_code="1Z42")

    (email,) = (message for message in told.by("email") if message.event_type == "order.shipped")
    assert [each.name for each in email.attachments] == ["Lieferschein.pdf"]


def test_a_hook_that_is_no_function_is_found(attach: Any) -> None:
    attach("shop.nowhere.attach")

    (problem,) = check_hooks()

    assert problem.id == "notifications.E004"
    assert 'NOTIFICATIONS["ATTACHMENTS"]' in problem.msg
