"""Turned away: what is told to whoever has a stale form, lacks a right, or asks for no page.

    CSRF_FAILURE_VIEW = "notifications.turned_away.stale_page"      # in the project's settings
    handler403 = "notifications.turned_away.no_right"               # in the project's URLs
    handler404 = "notifications.turned_away.no_page"

In the visitor's language, and with the way back for who was on the console.
"""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.urls import NoReverseMatch, reverse
from django.utils import translation

from notifications.public_page import show


def stale_page(request: HttpRequest, reason: str = "") -> HttpResponse:
    """403: its form is from before somebody signed in, in another tab perhaps. reason: Django's, in
    English; an origin that the settings do not trust is read there."""
    return _page(request, "stale_page", reason=reason)


def no_right(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    """403: whoever asks lacks the permission for this page, or for what its button does."""
    return _page(request, "no_right")


def no_page(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    """404: mistyped, or about a row that is kept no longer."""
    return _page(request, "no_page", status=404)


def _page(request: HttpRequest, name: str, *, status: int = 403, **context: str) -> HttpResponse:
    with translation.override(translation.get_language_from_request(request)):
        return show(name, {"console": _console(request), **context}, status=status)


def _console(request: HttpRequest) -> str:
    """Its first page, for who was on it; empty for strangers."""
    try:
        index = reverse("admin:index")
    except NoReverseMatch:
        return ""
    return index if request.path.startswith(index) else ""
