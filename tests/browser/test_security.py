"""No page asks its browser for anything that the strict policy forbids."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from django.contrib import admin
from django.urls import NoReverseMatch, reverse
from playwright.sync_api import Page, expect

from notifications.console import pages
from tests.integration.operator_rows import make_delivery, make_event, page_url
from tests.shop import a_customer, an_order

WATCH = """
document.addEventListener('securitypolicyviolation', (event) => {
  console.error(`CSP: ${event.violatedDirective} ${event.blockedURI} ${event.sample}`);
});
"""


@pytest.fixture
def violations(page: Page) -> Iterator[list[str]]:
    """What browsers say in words of their own, frames included, and the event of each document."""
    found: list[str] = []
    page.add_init_script(WATCH)
    page.on(
        "console",
        lambda said: (
            found.append(f"{page.url}: {said.text}")
            if "CSP: " in said.text or "Content Security Policy" in said.text
            else None
        ),
    )
    yield found
    assert found == []


def urls() -> Iterator[str]:
    """The index, every list, every form to add, every page of the console that needs nothing."""
    yield reverse("admin:index")
    for each in admin.site._registry.values():
        for name in ("changelist", "add"):
            yield reverse(f"admin:{each.opts.app_label}_{each.opts.model_name}_{name}")
    for each in pages.all_pages():
        try:
            yield pages.url(each.name)
        except NoReverseMatch:
            continue


def test_no_page_breaks_the_policy(violations: list[str], signed_in: Page) -> None:
    order = an_order(customer=a_customer(devices=1))
    delivery = make_delivery(make_event(order.pk))
    rows = [page_url(row) for row in (order, order.customer, delivery, delivery.event)]
    edit = "/admin/notifications/template/order.created/email/en/"
    for url in [*urls(), *rows, edit]:
        signed_in.goto(url, wait_until="domcontentloaded")


def test_the_page_of_the_api_works_under_it(violations: list[str], signed_in: Page) -> None:
    signed_in.goto("/api/docs")
    expect(signed_in.get_by_role("heading", name="Order API")).to_be_visible()


def test_a_button_reveals_an_address_for_one_look(violations: list[str], signed_in: Page) -> None:
    delivery = make_delivery(make_event())
    signed_in.goto(page_url(delivery))
    expect(signed_in.get_by_text(delivery.address, exact=True)).to_have_count(0)
    signed_in.get_by_role("button", name="Reveal personal data").click()
    expect(signed_in.get_by_text(delivery.address, exact=True)).to_be_visible()
    signed_in.goto(page_url(delivery))
    expect(signed_in.get_by_text(delivery.address, exact=True)).to_have_count(0)
