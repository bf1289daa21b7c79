"""A walk through the running demo: every page is whole, legible and reachable, for everybody.

`make screenshots` is the same walk, with a picture of each page in light, in dark and on a phone.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, Request

from tests.browser import pictures
from tests.browser.pictures import PHONE, WIDE
from tests.browser.running_demo import RunningDemo
from tests.browser.screens import SCREENS, Screen
from tests.waiting import wait_for

AA = {
    "runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa"],
    "resultTypes": ["violations"],
    "preload": False,
}


@pytest.fixture(scope="module")
def said() -> list[str]:
    """What the browser complained of: scripts that failed, what was not found or not allowed."""
    return []


@pytest.fixture(scope="module")
def visitor(chromium: Browser, demo: RunningDemo, said: list[str]) -> Iterator[Page]:
    """Signed in, once the demo's trouble has come to lie where an operator finds it."""
    # Axe draws with inline styles. That our pages do not is for `test_security` to see.
    context = chromium.new_context(viewport=WIDE, locale="en-GB", bypass_csp=True)
    context.set_default_timeout(20_000)
    page = context.new_page()
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("requestfailed", lambda request: said.extend(_failed(request)))
    page.on("response", lambda answer: said.append(answer.url) if answer.status >= 400 else None)
    page.on("console", lambda line: said.append(line.text) if line.type == "error" else None)
    page.goto(demo.admin)
    pictures.take_all(page, "login")
    page.get_by_label("Username").fill(demo.user)
    page.get_by_label("Password").fill(demo.password)
    page.get_by_role("button", name="Log in").click()
    page.wait_for_url(demo.admin)

    def settled() -> bool:
        page.goto(f"{demo.admin}notifications/deadletter/")
        return page.locator("#result_list tbody tr").count() >= 12

    wait_for(settled, within=60, what="twelve dead letters")
    yield page
    context.close()


@pytest.mark.parametrize(
    "screen",
    [each for each in SCREENS if pictures.WANTED or not each.alike],
    ids=lambda screen: screen.name,
)
def test_a_page_is_whole_in_light_in_dark_and_on_a_phone(
    visitor: Page, demo: RunningDemo, said: list[str], screen: Screen
) -> None:
    said.clear()
    visitor.set_viewport_size(WIDE)
    visitor.emulate_media(color_scheme="light")
    screen.open(visitor, demo.admin)
    pictures.take(visitor, screen.name, "light")
    assert _violations(visitor) == []
    if screen.fits:
        hidden = "(table) => table.scrollWidth - table.clientWidth"
        assert visitor.locator("#changelist .results").evaluate(hidden) <= 0, "columns are cut off"
    visitor.emulate_media(color_scheme="dark")
    pictures.take(visitor, screen.name, "dark")
    assert _violations(visitor) == []
    visitor.emulate_media(color_scheme="light")
    visitor.set_viewport_size(PHONE)
    pictures.take(visitor, screen.name, "phone")
    overflow = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
    assert visitor.evaluate(overflow) <= 0, "the page is wider than a phone"
    assert said == []


def _failed(request: Request) -> Iterator[str]:
    # A page that refreshes itself may be left while it asks: its request is broken off.
    if request.failure != "net::ERR_ABORTED":
        yield f"{request.url}: {request.failure}"


def _violations(page: Page) -> list[str]:
    # The admin's links and buttons change their colours over a fifth of a second.
    page.evaluate("Promise.all(document.getAnimations().map((each) => each.finished))")
    found = Axe().run(page, options=AA).response["violations"]
    return [
        f"{each['id']}: {node['target']} {node['failureSummary']}"
        for each in found
        for node in each["nodes"]
    ]
