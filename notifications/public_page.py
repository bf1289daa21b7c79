"""A page outside of the admin: what it looks like, and what a browser may do with it."""

from __future__ import annotations

import secrets
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

from django.http import HttpResponse
from django.template.loader import render_to_string

from notifications.conf import conf

_ICON = Path(__file__).parent / "static" / "notifications" / "icon.svg"
ICON = f"data:image/svg+xml,{quote(_ICON.read_text())}"
"""In the page itself: not every project that sends notifications serves static files."""


def show(name: str, context: dict[str, Any], *, status: int = 200) -> HttpResponse:
    """The page, which nobody may keep, frame or index, and which loads and runs nothing."""
    nonce = secrets.token_urlsafe(16)
    brand = conf().public_name or urlsplit(conf().public_url).hostname or ""
    page = render_to_string(
        f"notifications_pages/{name}.html",
        {"nonce": nonce, "brand": brand, "icon": ICON, **context},
    )
    headers = {
        "Cache-Control": "no-store",
        "Content-Security-Policy": f"default-src 'none'; style-src 'nonce-{nonce}'; "
        "img-src data:; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
        "Referrer-Policy": "no-referrer",
        "X-Content-Type-Options": "nosniff",
        "X-Frame-Options": "DENY",
        "X-Robots-Tag": "noindex, nofollow",
    }
    return HttpResponse(page, status=status, headers=headers)
