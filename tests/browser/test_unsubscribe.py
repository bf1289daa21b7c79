"""Somebody unsubscribes: from a mail that a provider took to the page, and back again."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from notifications.deliveries import deliver
from notifications.local.providers.client import SandboxClient
from notifications.models import Consent, Delivery, Preference
from notifications.preferences import wanted
from notifications.retries import RetryPolicy
from tests import news
from tests.integration import letters
from tests.integration.letters import ANN

ONCE = RetryPolicy(max_retries=0)


@pytest.fixture
def club(settings: Any, tmp_path: Path, live_server: Any, sandbox: SandboxClient) -> Iterator[None]:
    """The shop has news, for Ann; its mails lead to the site that the browser sees."""
    settings.NOTIFICATIONS = {
        **settings.NOTIFICATIONS,
        "RECIPIENTS": f"{letters.__name__}.resolve",
        "CONTEXT": f"{letters.__name__}.context",
        "STILL_TRUE": "",
        "PUBLIC_URL": live_server.url,
    }
    (backend,) = settings.TEMPLATES
    settings.TEMPLATES = [{**backend, "DIRS": [tmp_path, *backend["DIRS"]]}]
    letters.start_anew()
    with news.declared(settings, tmp_path):
        yield
    letters.start_anew()


def link_of_a_mail(sandbox: SandboxClient, number: int = 1) -> str:
    """The link in the mail that the provider took."""
    deliver(news.issue(number), channel="email", policy=ONCE)
    (mail,) = [each for each in sandbox.accepted("email") if each.subject == f"issue/{number}"]
    (url,) = re.findall(r"Unsubscribe: (\S+)", mail.text)
    assert mail.headers["List-Unsubscribe"] == f"<{url}>"
    assert mail.headers["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    return url


def wants() -> bool:
    return wanted(ANN.who, "news", "email")


@pytest.mark.usefixtures("club")
def test_a_reader_stops_the_news_by_the_link_in_a_mail_and_undoes_it(
    page: Page, sandbox: SandboxClient
) -> None:
    page.goto(link_of_a_mail(sandbox))
    heading = page.get_by_role("heading", level=1)
    expect(heading).to_have_text("Stop “News and offers”?")
    page.reload()  # as a scanner of links would look, and look again
    assert wants()
    assert not Preference.objects.exists()
    look(page, "unsubscribe")

    page.get_by_role("button", name="Unsubscribe").click()
    expect(heading).to_have_text("You are unsubscribed")
    assert not wants()
    look(page, "unsubscribed")
    deliver(news.issue(2), channel="email", policy=ONCE)
    assert Delivery.objects.get(subject="issue/2").reason == "unwanted"

    page.get_by_role("button", name="Undo").click()
    expect(page.get_by_role("status")).to_contain_text("you are subscribed, as before")
    assert wants()
    assert link_of_a_mail(sandbox, 3)
    sources = Consent.objects.order_by("id").values_list("wanted", "source")
    assert list(sources) == [(False, "page"), (True, "page")]


@pytest.mark.usefixtures("club")
def test_a_reader_chooses_by_keyboard_what_to_hear_and_how(
    page: Page, sandbox: SandboxClient
) -> None:
    page.goto(link_of_a_mail(sandbox))
    page.get_by_role("link", name="Choose what you want to hear, and how").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("What you hear from us")

    offers = page.get_by_role("group", name="News and offers")
    orders = page.get_by_role("group", name="Your orders and your account")
    expect(orders.get_by_label("Email")).to_be_disabled()
    expect(orders.get_by_label("Email")).to_be_checked()
    expect(orders).to_contain_text("Always told")
    look(page, "preferences")

    offers.get_by_label("Email").focus()
    page.keyboard.press("Space")
    page.keyboard.press("Enter")
    expect(page.get_by_role("status")).to_have_text("Your choice is saved.")
    expect(offers.get_by_label("Email")).not_to_be_checked()
    expect(offers.get_by_label("Text message (SMS)")).to_be_checked()
    assert not wants()
    look(page, "preferences-saved")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [320, 1280])
@pytest.mark.usefixtures("club")
def test_nothing_runs_out_of_the_page_on_a_phone_or_in_the_dark(
    page: Page, sandbox: SandboxClient, width: int, scheme: Any
) -> None:
    page.set_viewport_size({"width": width, "height": 700})
    page.emulate_media(color_scheme=scheme)
    for address in (link_of_a_mail(sandbox), "/notifications/unsubscribe/nonsense"):
        page.goto(address)
        wide = page.evaluate("document.documentElement.scrollWidth")
        assert wide <= width
        background, ink = page.evaluate(
            "['backgroundColor', 'color'].map(name => getComputedStyle(document.body)[name])"
        )
        assert (_light(background) > _light(ink)) == (scheme == "light")


def _light(colour: str) -> int:
    return sum(map(int, re.findall(r"\d+", colour)[:3]))


def look(page: Page, name: str) -> None:
    """Pictures for a person to look at, where BROWSER_PICTURES names a directory."""
    directory = os.environ.get("BROWSER_PICTURES")
    if not directory:
        return
    for width in (360, 1280):
        for scheme in ("light", "dark"):
            page.set_viewport_size({"width": width, "height": 800})
            page.emulate_media(color_scheme=scheme)
            page.screenshot(path=f"{directory}/{name}-{width}-{scheme}.png", full_page=True)
