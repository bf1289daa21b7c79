"""The answer to a request that failed: what a person can do, and what an operator should look at.

    handler500 = "notifications.server_error.server_error"      # in the project's URLs

An outage of the database is a 503 with `Retry-After`: whoever asks by machine comes back. What was
connected to a server that has gone, or only reads, is connected anew, so the next request is well.
"""

from __future__ import annotations

import sys

from django.http import HttpRequest, HttpResponse
from django.urls import NoReverseMatch, reverse
from django.utils import translation

from notifications import tracing
from notifications.outages import is_away, renew_after
from notifications.public_page import show

RETRY_AFTER = 5
"""Seconds. A restart of PostgreSQL takes as long, a failover a minute."""


def server_error(request: HttpRequest) -> HttpResponse:
    """503 while the database is away, else 500. Django logs the error; nothing of it is told."""
    error = sys.exc_info()[1]
    if error is None or not is_away(error):
        return _page(request, away=False, status=500)
    renew_after(error)
    response = _page(request, away=True, status=503)
    response.headers["Retry-After"] = str(RETRY_AFTER)
    return response


def _page(request: HttpRequest, *, away: bool, status: int) -> HttpResponse:
    context = {"away": away, "staff": _is_console(request), "trace": _trace()}
    with translation.override(translation.get_language_from_request(request)):
        return show("server_error", context, status=status)


def _trace() -> str:
    """What the log's lines about this request have as `trace_id`."""
    return here.split("-")[1] if (here := tracing.current()) else ""


def _is_console(request: HttpRequest) -> bool:
    try:
        return request.path.startswith(reverse("admin:index"))
    except NoReverseMatch:
        return False
