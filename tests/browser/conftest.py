"""A real browser: Debian's Chromium, driven by Playwright, on the site that a thread serves."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator

import pytest
from django.conf import settings
from django.contrib.auth.models import User
from django.test import Client
from playwright.sync_api import Browser, Page, expect, sync_playwright

from notifications.local.stack import Stack
from tests.browser.running_demo import RunningDemo, running_demo
from tests.browser.visitor import LETTERS, Visitor
from tests.waiting import wait_for

QUIET = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
"""Chromium as root, in a container, and asking nobody else for anything."""

expect.set_options(timeout=20_000)
"""What a page comes to say, like what is clicked on it: a busy machine takes its time."""


@pytest.fixture(scope="package")
def chromium() -> Iterator[Browser]:
    """For these tests alone: while Playwright runs, no other of this process may run a loop."""
    executable = os.environ.get("CHROMIUM") or shutil.which("chromium")
    assert executable, "Chromium is missing: `make browser` installs it, CHROMIUM names another."
    with sync_playwright() as playwright:
        # Playwright keeps a loop running in this thread, in which Django would refuse its ORM.
        os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "1"
        browser = playwright.chromium.launch(executable_path=executable, args=QUIET)
        yield browser
        browser.close()
        del os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"]


@pytest.fixture(scope="package")
def demo(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningDemo]:
    """One for all modules of this process that walk through it. They come last by their names, and
    those that change it after those that only look."""
    with running_demo(stack, tmp_path_factory.mktemp("demo")) as demo:
        yield demo


@pytest.fixture(scope="module")
def visitors(chromium: Browser, demo: RunningDemo) -> Iterator[dict[str, Visitor]]:
    """The demo's three users, once its trouble lies where they find it."""
    visitors = {name: Visitor(chromium, demo, name) for name in ("operator", "admin", "reader")}
    letters = f"{LETTERS}?state=all"  # an earlier module may have seen to them
    wait_for(lambda: visitors["reader"].count(letters) >= 12, within=60, what="twelve dead letters")
    yield visitors
    for each in visitors.values():
        each.close()


@pytest.fixture
def operator(visitors: dict[str, Visitor], _audited_and_for_nobody_else: None) -> Visitor:
    """By the group of that name. What they press is looked for in the audit, and tried by the
    reader, too."""
    return visitors["operator"]


@pytest.fixture
def admin(visitors: dict[str, Visitor], _audited_and_for_nobody_else: None) -> Visitor:
    """For what operators may not; likewise."""
    return visitors["admin"]


@pytest.fixture
def reader(visitors: dict[str, Visitor]) -> Visitor:
    """Who may look, and press nothing."""
    return visitors["reader"]


@pytest.fixture
def _audited_and_for_nobody_else(visitors: dict[str, Visitor]) -> Iterator[None]:
    yield
    reader, admin = visitors["reader"], visitors["admin"]
    for visitor in (visitors["operator"], admin):
        sent, visitor.sent = visitor.sent, []
        acted, visitor.acted = visitor.acted, []
        for each in sent:
            assert each.only_asks or reader.forge(each) == 403, each
        if acted:
            admin.go(f"notifications/auditentry/?q={visitor.user}")
            rows = admin.content.locator("#result_list tbody tr")
            for action, reason in acted:
                expect(rows.filter(has_text=action).filter(has_text=reason).first).to_be_visible()


@pytest.fixture
def page(chromium: Browser, live_server) -> Iterator[Page]:
    """A page of a browser without history: `page.goto("/admin/")`. A script that fails on it fails
    the test."""
    context = chromium.new_context(base_url=live_server.url, locale="en-GB")
    context.set_default_timeout(20_000)
    page = context.new_page()
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    yield page
    context.close()
    assert not errors


@pytest.fixture
def ada() -> User:
    """Somebody who may do everything."""
    return User.objects.create_superuser("ada", password="difference-engine")


@pytest.fixture
def signed_in(page: Page, live_server, ada: User) -> Page:
    """Her page, at the admin's index. That one gets there by a password, too, is for
    `test_sign_in` to see."""
    client = Client()
    client.force_login(ada)
    name = settings.SESSION_COOKIE_NAME
    cookie = {"name": name, "value": client.cookies[name].value, "url": live_server.url}
    page.context.add_cookies([cookie])
    page.goto("/admin/")
    return page
