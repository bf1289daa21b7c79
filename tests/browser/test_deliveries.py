"""The list of deliveries in a browser: rows selected for bulk work, a filter's whole, a file."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

from tests.integration.operator_rows import make_delivery, make_event

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def failed(signed_in):
    for number in range(3):
        make_delivery(make_event(number), state="failed")
    signed_in.goto("/admin/notifications/delivery/?state=failed")
    return signed_in


def test_two_selected_rows_come_to_the_page_that_asks(failed):
    for box in failed.locator(".action-select").all()[:2]:
        box.check()
    expect(failed.locator(".action-counter")).to_contain_text("2 of 3 selected")

    failed.get_by_role("button", name="Send again…").press("Enter")

    failed.wait_for_url(re.compile(r"/console/bulk/\?kind=resend&delivery=.+&delivery=.+"))
    expect(failed.locator("#content")).to_contain_text("2")


def test_all_that_a_filter_matches_come_to_the_page_that_asks(failed):
    failed.get_by_role("link", name="Discard…").click()
    failed.wait_for_url(re.compile(r"/console/bulk/\?kind=discard_deliveries&state=failed"))
    expect(failed.locator("#content")).to_contain_text("3")


def test_what_matches_is_downloaded(failed):
    with failed.expect_download() as download:
        failed.get_by_role("button", name="Export as CSV").click()
    assert re.fullmatch(r"delivery-.*Z\.csv", download.value.suggested_filename)
    text = download.value.path().read_text(encoding="utf-8-sig")
    assert text.count("\n") == 4
    assert "gustav" not in text
