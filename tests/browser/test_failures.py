"""An operator reads why, notes it down, and goes on to what mends it, by mouse and by keyboard."""

from __future__ import annotations

import re

from django.urls import reverse
from playwright.sync_api import Page, expect

from notifications.models import DeadLetter, Delivery
from tests.integration.test_failures import CAUSE, a_failure, a_letter


def test_a_group_is_read_noted_by_keyboard_and_leads_to_the_confirmation(signed_in: Page) -> None:
    page, content = signed_in, signed_in.locator("#content")
    for number in range(7):
        a_failure(number)
    a_letter(reason="poison", error="it hangs")
    page.get_by_role("link", name="Failure groups", exact=True).first.click()
    expect(content).to_contain_text("8 failures that nobody has seen to.")
    page.get_by_role("link", name="poison", exact=True).click()
    expect(content).to_contain_text("it kills or hangs its process")

    page.get_by_label("What is known of this cause").focus()
    page.keyboard.type("the parser loops, mended in 1.2")
    page.keyboard.press("Tab")
    expect(page.get_by_role("button", name="Save the note")).to_be_focused()
    page.keyboard.press("Enter")
    expect(content).to_contain_text("by ada")

    for name, wanted in {
        "Retry the first 5: dead letters": f"kind=redrive&fingerprint={CAUSE}&limit=5",
        "Retry all: deliveries": f"kind=resend&state=failed&fingerprint={CAUSE}",
        "Discard all: dead letters": f"kind=discard_letters&fingerprint={CAUSE}",
    }.items():
        page.goto(reverse("admin:console_failure_group", args=[CAUSE]))
        page.get_by_role("link", name=name, exact=True).click()
        expect(page).to_have_url(re.compile(re.escape(wanted) + "$"))


def test_a_letter_is_redriven_discarded_and_restored_and_its_order_s_timeline_says_so(
    signed_in: Page,
) -> None:
    page, content = signed_in, signed_in.locator("#content")
    event = a_failure(17, event_type="order.created")
    letter = a_letter(queue="email", event_id=event.pk, subject=event.subject)
    DeadLetter.objects.update(event_type="order.created")

    def press(button: str, why: str) -> None:
        page.goto(reverse("admin:notifications_deadletter_change", args=[letter.pk]))
        form = page.locator("form", has=page.get_by_role("button", name=button, exact=True))
        form.get_by_label("Reason").fill(why)
        form.get_by_role("button", name=button, exact=True).click()
        expect(page.locator(".messagelist")).to_contain_text(f"Done: {button}.")

    press("Discard", "a test order")
    press("Restore", "it was none")
    page.get_by_role("link", name="order/17", exact=True).first.click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Timeline of order/17")
    expect(content).to_contain_text("it was none")
    page.get_by_role("checkbox", name="Operator").check()
    page.get_by_role("button", name="Apply").click()
    expect(content.locator(".notifications-kind-event")).to_have_count(0)
    expect(content.locator(".notifications-kind-operator").first).to_be_visible()
    assert Delivery.objects.get().state == "failed"
