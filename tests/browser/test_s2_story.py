"""S2's story by hand: find the group, read why, redrive 1, then 10, then all, see it complete."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, expect

from notifications import consumers
from notifications.local.providers.client import SandboxClient
from notifications.models import DeadLetter, Job
from orders_site.payments.models import Payment
from tests.conftest import Start
from tests.shop import a_customer
from tests.stock import in_stock, order_of
from tests.waiting import wait_for

BAD = 12
WITHIN = 60
"""Seconds for the relay and the worker to do what was begun on a page."""


def are_paid(count: int) -> bool:
    return Payment.objects.filter(state=Payment.State.COMPLETED).count() == count


def open_group(page: Page) -> None:
    """By the way that an operator takes, from the index."""
    page.goto("/admin/")
    page.get_by_role("link", name="Failure groups", exact=True).first.click()
    page.get_by_role("link", name="currency_not_supported", exact=True).click()


def begin(page: Page, *, limit: int | None, count: int) -> None:
    """On the confirmation: so many, for a reason, at once."""
    if limit:
        page.get_by_label("Only the first, the oldest").fill(str(limit))
        page.get_by_role("button", name="Count again").click()
    counted = f"{count} thing{'s are' if count > 1 else ' is'} meant."
    expect(page.locator("#content")).to_contain_text(counted)
    page.get_by_label("All at once.").check()
    page.get_by_label("Reason", exact=True).fill("the payment account takes it now")
    page.get_by_role("button", name="Give dead letters back to their consumer").click()
    expect(page).to_have_url(re.compile(r"/job/\d+/change/"))


@pytest.mark.S2
def test_s2_twelve_dead_letters_are_brought_home_by_hand_in_the_browser(
    environment: dict[str, str],
    sandbox: SandboxClient,
    relay: Start,
    worker: Start,
    signed_in: Page,
) -> None:
    page, content = signed_in, signed_in.locator("#content")
    item, customer = in_stock(100), a_customer(devices=1)
    sandbox.script("payments", "refuse", code="currency_not_supported")
    for _ in range(BAD):
        order_of((item, 1), customer=customer)
    relay()
    worker(*(each.name for each in consumers.all_consumers()))
    letters = DeadLetter.objects.filter(queue="payments")
    wait_for(lambda: letters.count() == BAD, within=WITHIN, what="the dead letters")

    open_group(page)
    expect(content.get_by_role("heading", name=re.compile("Why"))).to_contain_text(str(BAD))
    expect(content).to_contain_text("Its task gave it up for good")
    sandbox.forget_script("payments")  # the bug is fixed

    first, *_, last = letters.order_by("id")  # as they came, whatever was ordered first
    content.locator(f'a[href$="/deadletter/{first.pk}/change/"]').click()
    expect(content).to_contain_text("currency_not_supported")
    form = content.locator("form", has=page.get_by_role("button", name="Redrive", exact=True))
    form.get_by_label("Reason").fill("is it mended?")
    form.get_by_role("button", name="Redrive", exact=True).click()
    expect(page.locator(".messagelist")).to_contain_text("Done: Redrive.")
    wait_for(lambda: are_paid(1), within=WITHIN, what="the first to be charged")
    page.reload()
    expect(content).to_contain_text("redriven")

    open_group(page)
    content.get_by_role("link", name="Retry the first 5: dead letters").click()
    begin(page, limit=10, count=10)
    wait_for(lambda: are_paid(11), within=WITHIN, what="ten more to be charged")

    open_group(page)
    content.get_by_role("link", name="Retry all: dead letters").click()
    begin(page, limit=None, count=1)
    wait_for(lambda: are_paid(BAD), within=WITHIN, what="the last to be charged")
    wait_for(lambda: not Job.objects.open().exists(), within=WITHIN, what="the jobs to be over")

    def is_complete() -> bool:
        page.goto(f"/admin/console/timeline/{last.subject}/")
        return "Complete: reached" in content.inner_text()

    wait_for(is_complete, within=WITHIN, what="the order's timeline to be complete")
    expect(content).to_contain_text("payment charged")
    expect(content).to_contain_text("the payment account takes it now")
    assert len(sandbox.charges()) == BAD, "each once"
    page.goto("/admin/console/failures/")
    expect(content).to_contain_text("Nothing fails:")
