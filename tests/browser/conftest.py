"""A real browser: Debian's Chromium, driven by Playwright, on the site that a thread serves."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator

import pytest
from django.contrib.auth import get_user_model
from playwright.sync_api import Browser, Page, sync_playwright

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


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """For one module: while Playwright runs, no other test of this process may run a loop."""
    executable = os.environ.get("CHROMIUM") or shutil.which("chromium")
    assert executable, "Chromium is missing: `make browser` installs it, CHROMIUM names another."
    with sync_playwright() as playwright:
        # Playwright keeps a loop running in this thread, in which Django would refuse its ORM.
        os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "1"
        browser = playwright.chromium.launch(executable_path=executable, args=QUIET)
        yield browser
        browser.close()
        del os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"]


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
def signed_in(page: Page) -> Page:
    """The page of somebody who may do everything, at the admin's index."""
    get_user_model().objects.create_superuser("ada", password="difference-engine")
    page.goto("/admin/")
    page.get_by_label("Username").fill("ada")
    page.get_by_label("Password").fill("difference-engine")
    page.get_by_role("button", name="Log in").click()
    page.wait_for_url("**/admin/")
    return page
