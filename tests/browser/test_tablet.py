"""On a tablet, beside the navigation: what is read has room, a choice stands by its name."""

from __future__ import annotations

import pytest
from django.urls import reverse
from playwright.sync_api import Locator, Page

from notifications.console.bulk import confirm_url
from notifications.models import DeadLetter
from tests.integration.operator_rows import make_delivery, make_event

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def tablet(signed_in: Page) -> Page:
    signed_in.set_viewport_size({"width": 768, "height": 1024})
    return signed_in


ROWS = """(element) => {
    const text = document.createRange();
    const texts = document.createTreeWalker(element, NodeFilter.SHOW_TEXT);
    while (!texts.nextNode().data.trim());
    text.selectNodeContents(texts.currentNode);
    return text.getClientRects().length;
}"""
"""Rows that the first text of an element takes."""


def width_of(part: Locator) -> float:
    box = part.first.bounding_box()
    assert box is not None
    return box["width"]


def test_a_list_has_the_page_to_itself_and_its_filter_stands_below(tablet: Page) -> None:
    make_delivery(make_event(1), state="failed", channel="whatsapp")
    tablet.goto(reverse("admin:notifications_delivery_changelist"))
    assert width_of(tablet.locator("#changelist .results")) > 400
    assert width_of(tablet.locator("#changelist-filter")) > 400
    for cell, whole in {
        ".field-who": "customer/42",
        ".field-channel_and_tries": "whatsapp",
    }.items():
        written = tablet.locator(f"#result_list {cell}").first
        assert whole in written.inner_text()
        assert written.evaluate(ROWS) == 1, f"{whole} is broken"


def test_a_timeline_says_what_happened_in_lines_not_letters(tablet: Page) -> None:
    make_delivery(make_event(1), state="failed")
    tablet.goto(reverse("admin:console_timeline_of", args=["order/1"]))
    assert width_of(tablet.locator(".notifications-what")) > 300


def test_a_pace_stands_beside_its_button(tablet: Page) -> None:
    DeadLetter.objects.create(queue="email", message_id="1", body=b"{}", reason="poison")
    tablet.goto(confirm_url("redrive", {"queue": ["email"]}))
    button, words = (
        tablet.locator(each).bounding_box() for each in ("#pace-staged", "label[for=pace-staged]")
    )
    assert button is not None
    assert words is not None
    assert words["y"] < button["y"] + button["height"]


def test_a_template_is_edited_in_more_than_a_peephole(tablet: Page) -> None:
    tablet.goto("/admin/notifications/template/order.cancelled/email/de/")
    box = tablet.locator("textarea[name=text]").bounding_box()
    assert box is not None
    assert box["height"] > 200
