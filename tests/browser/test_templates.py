"""Staff edit, look at, publish and roll back a template in a browser; the next delivery uses it."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from django.contrib.admin.models import LogEntry
from playwright.sync_api import Page, expect

from notifications.deliveries import deliver
from notifications.local.providers.client import SandboxClient
from notifications.models import Delivery, Event, TemplateVersion
from notifications.retries import RetryPolicy
from notifications.templating import published
from orders_site.orders.services import cancel_order
from tests.shop import a_customer, an_order

TEST_NUMBER = "+4917299200999"


@pytest.fixture(autouse=True)
def _nothing_published() -> Iterator[None]:
    published.look_again()
    yield
    published.look_again()


def cancelled() -> Event:
    """An order that Meryem, who reads German, has called off."""
    order = an_order(customer=a_customer())
    cancel_order(order=order, reason="customer_request")
    return Event.objects.get(type="order.cancelled", subject=f"order/{order.pk}")


def sms_about(event: Event, sandbox: SandboxClient) -> str:
    """What she is sent by SMS."""
    deliver(event.envelope(), channel="sms", policy=RetryPolicy())
    (told,) = [each.text for each in sandbox.accepted("sms") if each.subject == event.subject]
    return told


def press(page: Page, button: str) -> None:
    page.get_by_role("button", name=button, exact=True).click()


def publish(page: Page, why: str) -> None:
    page.get_by_label("Why").fill(why)
    press(page, "Publish")


def test_a_template_is_edited_previewed_published_and_rolled_back(
    signed_in: Page, sandbox: SandboxClient
) -> None:
    page, content = signed_in, signed_in.locator("#content")
    first = cancelled()
    page.get_by_role("link", name="Templates", exact=True).click()
    page.get_by_role("link", name="order.cancelled by sms in de", exact=True).click()
    text = page.get_by_label("Text")
    expect(text).to_have_value(re.compile("Ihre Bestellung {{ order_number }} ist storniert"))
    expect(content).to_contain_text("In use: file")
    expect(content).to_contain_text(re.compile(r"GSM-7 · \d+ characters · 1 part"))

    text.fill("Storniert, {{ first_name }} 🙂" + "!" * 60)
    press(page, "Check and preview")
    expect(content).to_contain_text("Storniert, Meryem 🙂!!!")
    expect(content).to_contain_text(re.compile(r"UCS-2 · \d+ characters · 2 parts"))

    text.fill("Hallo {{ first_name }},\nBestellung {{ ordernumber }} ist storniert.")
    publish(page, "kürzer")
    expect(content).to_contain_text("line 2: there is no ordernumber; is order_number meant?")
    expect(text).to_have_value(re.compile("ordernumber"))
    assert "Ihre Bestellung" in sms_about(first, sandbox)

    text.fill("Hallo {{ first_name }}, Bestellung {{ order_number }} ist storniert.")
    publish(page, "kürzer")
    expect(page.get_by_text("Version 1 is published.")).to_be_visible()
    expect(content).to_contain_text("In use: version 1")
    second = cancelled()
    number = second.subject.removeprefix("order/")
    assert sms_about(second, sandbox) == f"Hallo Meryem, Bestellung {number} ist storniert."
    version = TemplateVersion.objects.labelled(
        Delivery.objects.get(event_id=second.pk).template_version or ""
    )
    assert version is not None
    assert (version.number, version.published_by, version.comment) == (1, "ada", "kürzer")

    text.fill("Storniert.")
    publish(page, "noch kürzer")
    expect(content).to_contain_text("In use: version 2")
    assert sms_about(cancelled(), sandbox) == "Storniert."

    page.get_by_role("link", name="1", exact=True).click()
    expect(content).to_contain_text("-Storniert.")
    page.get_by_label("Why").fill("zu kurz")
    press(page, "Bring it back")
    expect(content).to_contain_text("In use: version 3")
    assert sms_about(cancelled(), sandbox).startswith("Hallo Meryem, Bestellung")
    assert LogEntry.objects.filter(change_message__contains="zu kurz", user__username="ada")


def test_a_mail_is_looked_at_in_a_frame_where_nothing_runs_and_in_every_language(
    signed_in: Page, sandbox: SandboxClient
) -> None:
    page = signed_in
    cancelled()
    page.goto("/admin/notifications/template/order.cancelled/email/de/")
    mail = page.frame_locator("iframe")
    expect(mail.locator("h1")).to_have_text("Guten Tag Meryem,")

    page.get_by_label("HTML").fill(
        "<h1>{{ shop.name }}</h1><script>document.querySelector('h1').textContent = 'run'</script>"
        "<img src='http://127.0.0.1:9/pixel' onerror=\"document.body.textContent = 'run'\">"
    )
    press(page, "Check and preview")

    expect(mail.locator("h1")).to_have_text("Harbour & Pine")
    page.get_by_role("link", name="In every channel and language").click()
    expect(page.locator("iframe")).to_have_count(2)
    for place in ("email, default", "email, de", "sms, default", "sms, de"):
        expect(page.get_by_role("link", name=place, exact=True)).to_be_visible()


def test_a_test_is_sent_to_who_is_named_and_marked_as_one(
    signed_in: Page, sandbox: SandboxClient
) -> None:
    page = signed_in
    cancelled()
    page.goto("/admin/notifications/template/order.cancelled/sms/de/")
    page.get_by_label("Text").fill("Hallo {{ first_name }}")
    page.get_by_label("Send a test to").fill(TEST_NUMBER)
    press(page, "Send a test")

    expect(page.get_by_text("Test sent to …0999")).to_be_visible()
    (sent,) = sandbox.accepted("sms")
    assert (sent.address, sent.text) == (TEST_NUMBER, "[Test] Hallo Meryem")
    assert not Delivery.objects.exists()
    said = LogEntry.objects.get(change_message__contains="sent to").change_message
    assert TEST_NUMBER not in said
