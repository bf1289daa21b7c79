"""An operator looks at one delivery in a browser, and does everything that may be done about it."""

from __future__ import annotations

from collections.abc import Iterator
from socket import create_server, socket
from typing import Any

import pytest
from django.db.models.functions import Now
from playwright.sync_api import Page, expect

from notifications.channels.base import Content
from notifications.conf import Editable
from notifications.models import Attempt, Delivery, Event, RenderedContent, Suppression
from notifications.rendered import packed
from notifications.sealed import unseal
from orders_site.orders.services import ship_order
from tests.shop import a_customer, an_order

HTML = (
    "<h1>Written</h1><script>document.querySelector('h1').textContent = 'run'</script>"
    "<img src='http://127.0.0.1:{port}/pixel' onerror=\"document.body.textContent = 'run'\">"
)


@pytest.fixture
def elsewhere() -> Iterator[socket]:
    """A server that waits for whoever fetches what a mail's HTML names."""
    with create_server(("127.0.0.1", 0)) as server:
        server.setblocking(False)
        yield server


@pytest.fixture
def delivery(settings: Any, elsewhere: socket) -> Delivery:
    """A mail about a parcel, whose provider never answered."""
    settings.NOTIFICATIONS = {
        **settings.NOTIFICATIONS,
        "EDITABLE": {"order.shipped": Editable(free=("carrier",))},
    }
    order = an_order(customer=a_customer())
    ship_order(order=order, carrier="DHL", tracking_code="X1")
    event = Event.objects.get(type="order.shipped", subject=f"order/{order.pk}")
    delivery = Delivery.objects.create(
        event=event,
        event_type=event.type,
        event_time=event.time,
        subject=event.subject,
        channel="email",
        route="customer",
        recipient=f"customer/{order.customer.pk}",
        address=order.customer.email,
        address_hash="1:abc",
        state="unknown",
        attempts=1,
    )
    Attempt.objects.create(
        delivery=delivery,
        subject=delivery.subject,
        number=1,
        token=delivery.pk,
        outcome="unknown",
        provider="ses",
        request="SendEmail; subject 24, text 310 characters",
        code="read_timeout",
        worker="mail@host",
        duration_ms=10_004,
        finished_at=Now(),
    )
    html = HTML.format(port=elsewhere.getsockname()[1])
    kept = packed(Content("Your parcel is in the post.", subject="On its way", html=html))
    RenderedContent.objects.create(delivery=delivery, generation=0, content=unseal(kept))
    return delivery


def of(page: Page, delivery: Delivery) -> Page:
    page.goto(f"/admin/notifications/delivery/{delivery.pk}/change/")
    return page


def press(page: Page, button: str, reason: str) -> None:
    """A button that asks for a reason once it is opened; by the keyboard."""
    page.locator("summary", has_text=button).press("Enter")
    form = page.locator("details[open]")
    form.get_by_label("Reason").fill(reason)
    form.get_by_role("button", name=button, exact=True).press("Enter")


def test_the_preview_runs_nothing_and_fetches_nothing(
    signed_in: Page, delivery: Delivery, elsewhere: socket
) -> None:
    page = of(signed_in, delivery)
    expect(page.locator("iframe")).to_have_count(0)

    with page.expect_event("requestfailed", lambda request: "pixel" in request.url) as refused:
        page.get_by_role("button", name="Reveal personal data").click()

    assert "csp" in str(refused.value.failure)
    with pytest.raises(BlockingIOError):
        elsewhere.accept()
    expect(page.frame_locator("iframe").locator("h1")).to_have_text("Written")
    expect(page.get_by_text("On its way", exact=True)).to_be_visible()


def test_it_is_settled_then_sent_again_after_a_look_at_the_difference(
    signed_in: Page, delivery: Delivery
) -> None:
    page = of(signed_in, delivery)
    expect(page.get_by_role("row", name="read_timeout")).to_contain_text("asked: SendEmail")
    expect(page.get_by_role("button", name="Send again")).to_have_count(0)

    press(page, "It was not sent", "looked it up at SES")
    expect(page.get_by_text("Done: It was not sent.")).to_be_visible()

    page.get_by_role("link", name="Send again …", exact=True).click()
    page.get_by_role("button", name="Show the words and what is different").click()
    difference = page.get_by_role("region", name="What is different now")
    expect(difference).to_contain_text("-Your parcel is in the post.")
    expect(difference).to_contain_text("+Ihre Bestellung")
    expect(page.locator("iframe")).to_have_count(2)
    page.get_by_label("Exactly what was sent the last time").check()
    page.get_by_label("Reason").fill("she lost it")
    page.get_by_role("button", name="Send again", exact=True).click()

    expect(page.get_by_text("It is sent again, on the bulk queue")).to_be_visible()
    row = page.get_by_role("row", name="she lost it")
    expect(row).to_contain_text("dispatched")
    delivery.refresh_from_db()
    assert (delivery.state, delivery.original) == ("pending", 0)

    press(page, "Discard", "she has it by now")
    expect(page.locator(".fieldBox.field-state_badge")).to_contain_text("discarded")


def test_facts_are_put_right_and_an_address_suppressed(signed_in: Page, delivery: Delivery) -> None:
    Delivery.objects.filter(pk=delivery.pk).update(state="sent")
    page = of(signed_in, delivery)
    page.get_by_role("link", name="Edit and send again …").click()
    expect(page.get_by_text("locked").first).to_be_visible()
    carrier = page.get_by_label("carrier")
    carrier.fill("x" * 41)
    page.get_by_role("button", name="Check, and show what is different").click()
    expect(page.locator("#problem-carrier")).to_contain_text("at most 40 characters")
    carrier.fill("UPS")
    page.get_by_role("button", name="Check, and show what is different").click()
    expect(page.get_by_role("region", name="What is different")).to_contain_text("mit UPS")
    page.get_by_label("Reason").fill("it went with UPS")
    page.get_by_role("button", name="Send with these facts").click()
    expect(page.get_by_text("It is sent again with what was put right.")).to_be_visible()
    expect(page.get_by_text("Put right for this delivery alone: carrier.")).to_be_visible()
    expect(page.get_by_role("row", name="carrier: DHL → UPS")).to_be_visible()

    press(page, "Suppress its address", "she called")
    expect(page.get_by_text("Done: Suppress its address.")).to_be_visible()
    assert Suppression.objects.get().delivery_id == delivery.pk
