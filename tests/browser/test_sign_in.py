"""The admin opens in a browser."""

from __future__ import annotations

from playwright.sync_api import expect


def test_an_operator_signs_in_and_finds_the_deliveries(signed_in):
    signed_in.get_by_role("link", name="Deliveries", exact=True).click()
    expect(signed_in.locator("#content")).to_contain_text("delivery")
