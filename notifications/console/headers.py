"""Headers: what a browser is told about every answer, beside what Django's SecurityMiddleware says.

    MIDDLEWARE = ["django.middleware.security.SecurityMiddleware",
                  "notifications.console.headers.HeadersMiddleware", …]

Nothing runs, is drawn with or is asked for that this site does not serve from a file of its own: no
inline script, no inline style. A view that needs another policy sets its own.
"""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import urlsplit

from django.conf import settings
from django.http import HttpRequest, HttpResponse

CSP = "Content-Security-Policy"
PERMISSIONS = "Permissions-Policy"

NOT_NEEDED = ("camera", "geolocation", "microphone", "payment", "usb")

UNSTYLED = {404, 500}
"""Where Django's own pages for developers stand, whose style and script are inline."""


def policy() -> str:
    """Files may come from where STATIC_URL leads, too: a CDN with a name of its own."""
    url = urlsplit(settings.STATIC_URL or "")
    files = " ".join(["'self'", *([f"{url.scheme}://{url.netloc}"] if url.scheme else [])])
    return "; ".join(
        [
            "default-src 'none'",
            f"script-src {files}",
            f"style-src {files}",
            f"img-src {files} data:",
            f"font-src {files}",
            "connect-src 'self'",
            "frame-src 'self'",
            "form-action 'self'",
            "frame-ancestors 'none'",
            "base-uri 'none'",
        ]
    )


class HeadersMiddleware:
    """Content-Security-Policy and Permissions-Policy, for whatever has none."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self._get_response = get_response
        self._policy = policy()

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self._get_response(request)
        if not (settings.DEBUG and response.status_code in UNSTYLED):
            response.headers.setdefault(CSP, self._policy)
        response.headers.setdefault(PERMISSIONS, ", ".join(f"{name}=()" for name in NOT_NEEDED))
        return response
