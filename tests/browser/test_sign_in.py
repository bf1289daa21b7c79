"""The admin opens in a browser."""

from __future__ import annotations

from playwright.sync_api import expect


def test_an_operator_signs_in_and_finds_the_deliveries(page, ada):
    page.goto("/admin/")
    page.get_by_label("Username").fill(ada.username)
    page.get_by_label("Password").fill("difference-engine")
    page.get_by_role("button", name="Log in").click()
    page.wait_for_url("**/admin/")
    page.get_by_role("link", name="Deliveries", exact=True).click()
    expect(page.locator("#content")).to_contain_text("delivery")
