"""The overview refreshes itself and takes nothing out of anybody's hands."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone
from playwright.sync_api import Page, expect

from notifications import throughput
from notifications.models import Attempt, DeadLetter
from tests.integration.operator_rows import make_attempt, make_delivery, make_event

pytestmark = pytest.mark.usefixtures("aws")


def bury(number: int) -> None:
    DeadLetter.objects.create(queue="email", message_id=str(number), body=b"", reason="r")


def look_now(page: Page) -> None:
    """As when its tab comes to the front: it does not wait for its five seconds."""
    page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")


@pytest.fixture
def overview(signed_in: Page) -> Page:
    for number in range(3):
        make_attempt(make_delivery(make_event(number)), outcome="sent")
    Attempt.objects.update(started_at=timezone.now() - timedelta(minutes=3))
    throughput.roll_up(using="default", go_on=lambda: True)
    bury(1)
    signed_in.get_by_role("link", name="Overview").first.click()
    return signed_in


def test_numbers_change_and_focus_scroll_selection_and_what_is_open_stay(overview: Page) -> None:
    summary = overview.get_by_text("The numbers: Done, last hour")
    summary.click()
    dead_letter = overview.locator('[data-key="queue-email"] a[href*="state=open"]')
    dead_letter.focus()
    overview.locator("#charts-title").scroll_into_view_if_needed()
    overview.evaluate("getSelection().selectAllChildren(document.querySelector('#charts-title'))")
    before = overview.evaluate("scrollY")
    overview.evaluate("document.querySelector('[data-key=queue-email]').dataset.mine = 'same'")

    bury(2)
    look_now(overview)

    expect(dead_letter).to_have_text("2")
    expect(overview.get_by_text("2 dead letters are open.")).to_be_visible()
    expect(dead_letter).to_be_focused()
    expect(overview.locator("details[open]")).to_have_count(1)
    assert overview.evaluate("scrollY") == before
    assert overview.evaluate("getSelection().toString()") == "Done and failed: all consumers"

    DeadLetter.objects.all().delete()
    look_now(overview)
    expect(overview.get_by_text("dead letters are open")).to_have_count(0)
    focused = overview.evaluate("document.activeElement.id")
    assert focused == "overview", (
        "what had the focus is gone: it is not lost at the top of the page"
    )


def test_it_is_paused_by_keyboard_says_when_it_is_old_and_stops_when_signed_out(
    overview: Page,
) -> None:
    pause = overview.get_by_role("button", name="Pause refreshing")
    trouble = overview.get_by_role("status")
    pause.focus()
    overview.keyboard.press("Enter")
    expect(trouble).to_have_text("Refreshing is paused.")
    bury(2)
    look_now(overview)
    expect(overview.locator("[data-refresh-age]")).to_contain_text("s ago")
    expect(overview.get_by_text("1 dead letter is open.")).to_be_visible()
    overview.keyboard.press("Enter")
    expect(overview.get_by_text("2 dead letters are open.")).to_be_visible()
    expect(trouble).to_have_text("")

    overview.route("**/overview/", lambda route: route.abort())
    look_now(overview)
    expect(trouble).to_have_text("The server cannot be reached: these are old.")
    overview.unroute("**/overview/")
    look_now(overview)
    expect(trouble).to_have_text("")

    overview.context.clear_cookies()
    look_now(overview)
    expect(trouble).to_have_text("You have been signed out: these are old.")
    expect(pause).to_be_hidden()
    overview.get_by_role("link", name="Refresh now").click()
    overview.wait_for_url("**/login/**")
