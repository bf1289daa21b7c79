"""Pictures of pages, for `make screenshots`: taken by the tests that come there, where it asks."""

from __future__ import annotations

import base64
import os
from pathlib import Path

from playwright.sync_api import Page, ViewportSize

WIDE: ViewportSize = {"width": 1280, "height": 800}
PHONE: ViewportSize = {"width": 390, "height": 844}
TALLEST = 1200
"""Pixels of a picture."""

_DIRECTORY = os.environ.get("SCREENSHOTS", "")
WANTED = bool(_DIRECTORY)


def take(page: Page, name: str, variant: str) -> None:
    """The page as it stands, as `<name>-<variant>.webp`. Nothing, unless SCREENSHOTS is set."""
    if not WANTED:
        return
    size = page.viewport_size or WIDE
    height = min(page.evaluate("document.documentElement.scrollHeight"), TALLEST)
    clip = {"x": 0, "y": 0, "width": size["width"], "height": height, "scale": 1}
    taken = page.context.new_cdp_session(page).send(
        "Page.captureScreenshot",
        {"format": "webp", "quality": 70, "clip": clip, "captureBeyondViewport": True},
    )
    picture = Path(_DIRECTORY) / f"{name}-{variant}.webp"
    picture.parent.mkdir(parents=True, exist_ok=True)
    picture.write_bytes(base64.b64decode(taken["data"]))


def take_all(page: Page, name: str) -> None:
    """In light, in dark and on a phone; the page is left as it was."""
    if not WANTED:
        return
    before = page.viewport_size or WIDE
    for variant, scheme, size in (
        ("dark", "dark", WIDE),
        ("phone", "light", PHONE),
        ("light", "light", WIDE),
    ):
        page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
        page.set_viewport_size(size)
        page.evaluate("Promise.all(document.getAnimations().map((each) => each.finished))")
        take(page, name, variant)
    page.set_viewport_size(before)
