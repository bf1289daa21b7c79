"""Bulk work in a browser: confirmed by the keyboard, run by the relays' thread, paused, resumed."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from django.contrib.auth.models import Permission, User
from playwright.sync_api import Page, expect

from notifications.conf import Bulk
from notifications.console.bulk import confirm_url
from notifications.housekeeping import JOBS, Housekeeping
from notifications.models import DeadLetter, Delivery, Job
from tests.integration.operator_rows import make_delivery, make_event

RELAY_TAKES = 20_000


@contextmanager
def a_relay() -> Iterator[None]:
    thread = Housekeeping("default", [JOBS])
    thread.start()
    try:
        yield
    finally:
        thread.close()


@pytest.fixture
def letters() -> None:
    for number in range(12):
        DeadLetter.objects.create(
            queue="email" if number % 2 else "sms",
            message_id=f"message-{number}",
            body=b"{}",
            reason="not_an_event",
            fingerprint="3f1c09a2b7d4e865",
            subject=f"order/{number + 1}",
        )


def test_it_is_confirmed_with_the_keyboard_run_and_paused_on_its_page(
    signed_in: Page, letters: None, settings: Any
) -> None:
    page = signed_in
    settings.NOTIFICATIONS = settings.NOTIFICATIONS | {"BULK": Bulk(typed_above=5)}
    page.goto(confirm_url("discard_letters", {"fingerprint": ["3f1c09a2b7d4e865"]}))
    content = page.locator("#content")
    expect(content).to_contain_text("12 things are meant.")
    expect(content).to_contain_text("12 would be done, 0 left out.")

    page.get_by_label("A second, at most").fill("2")
    page.get_by_label("Reason").fill("test orders")
    page.get_by_label("Type 12 to confirm").fill("12")
    page.keyboard.press("Enter")
    expect(page.get_by_text("is begun; the relays run it.")).to_be_visible()
    expect(content).to_contain_text("0 of 12")
    job = Job.objects.get()
    with a_relay():
        expect(page.locator("progress")).not_to_have_attribute("value", "0", timeout=RELAY_TAKES)
        page.get_by_label("Reason").first.fill("wait")
        page.get_by_label("Reason").first.press("Enter")
        expect(page.get_by_text("Done: Pause.")).to_be_visible()
        expect(content).to_contain_text("stopped: wait")
        page.get_by_label("A second, at most").fill("500")
        page.get_by_label("Reason").last.fill("it is well")
        page.get_by_role("button", name="Change rate").click()
        expect(page.get_by_text("Done: Change rate.")).to_be_visible()
        page.locator("form", has=page.get_by_role("button", name="Resume")).get_by_label(
            "Reason"
        ).fill("go on")
        page.get_by_role("button", name="Resume").click()
        expect(page.locator("progress")).to_have_attribute("value", "12", timeout=RELAY_TAKES)
    expect(content).to_contain_text(re.compile("done: 12 done"))
    job.refresh_from_db()
    assert (job.state, DeadLetter.objects.filter(state="discarded").count()) == ("done", 12)
    page.get_by_role("link", name="12", exact=True).click()
    expect(page.get_by_role("heading", name=f"Items of job {job.pk}")).to_be_visible()
    expect(page.get_by_role("link", name="order/12", exact=True)).to_be_visible()


def test_the_second_is_led_to_the_first_and_who_may_not_is_told_why(signed_in: Page) -> None:
    page = signed_in
    make_delivery(make_event(), state="failed")
    make_delivery(make_event(), state="failed", channel="sms")
    url = confirm_url("discard_deliveries", {"state": ["failed"]})
    page.goto(url)
    page.get_by_label("Reason").fill("nobody wants them")
    page.get_by_role("button", name="Discard deliveries").click()
    expect(page.get_by_text("is begun; the relays run it.")).to_be_visible()
    page.goto(url)
    expect(page.get_by_role("alert")).to_contain_text("ada began the same")
    page.get_by_role("link", name=f"Look at job {Job.objects.get().pk}").click()
    page.locator("form", has=page.get_by_role("button", name="Cancel")).get_by_label("Reason").fill(
        "they do"
    )
    page.get_by_role("button", name="Cancel").click()
    expect(page.get_by_text("Done: Cancel.")).to_be_visible()
    assert not Delivery.objects.filter(state="discarded").exists()

    ada = User.objects.get(username="ada")
    ada.is_superuser = False
    ada.save()
    names = ["view_job", "view_delivery", "discard_delivery"]
    ada.user_permissions.set(Permission.objects.filter(codename__in=names))
    page.goto(url)
    button = page.get_by_role("button", name="Discard deliveries")
    expect(button).to_be_disabled()
    expect(button).to_have_accessible_description(re.compile("You lack the permission"))
