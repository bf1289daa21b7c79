"""Control: what the pages share on which sending is held, paced and let go."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext as _

from notifications.admin.display import BAD, EMPTY, ago, badge
from notifications.console import pages
from notifications.models import Breaker, Pause

TABS = ("queues", "event_types", "providers", "announcements")
"""The pages that lead to each other, in order (`notifications.console.control_pages`)."""

EVERY = 5
"""Seconds between two looks of such a page at itself."""


@dataclass(frozen=True)
class Held:
    """One thing that holds something back, or that nothing does: who, since when and why."""

    badge: object
    words: str = ""
    since: object = ""


def render(request: HttpRequest, page: str, *, title: object, **context: Any) -> HttpResponse:
    """The page of that name, with the way to the others beside it."""
    return pages.render(
        request,
        f"{page}.html",
        title=title,
        tabs=list(_tabs(request, page)),
        region=page,
        every=EVERY,
        **context,
    )


def _tabs(request: HttpRequest, here: str) -> Iterator[tuple[object, str, bool]]:
    known = {page.name: page for page in pages.all_pages()}
    for name in TABS:
        if known[name].is_open_to(request):
            yield known[name].title, pages.url(name), name == here


def of_pause(pause: Pause, *, name: bool = False) -> Held:
    """name: whether it says what is paused, too."""
    said = {"by": pause.paused_by or EMPTY, "why": pause.reason or EMPTY, "what": str(pause)}
    text = _("%(what)s, by %(by)s: %(why)s") if name else _("by %(by)s: %(why)s")
    return Held(badge("paused"), text % said, ago(pause.paused_at))


def of_breaker(breaker: Breaker, *, name: bool = False) -> Held:
    """name: whether it says which account is left alone, too."""
    said = {"account": breaker.account, "error": breaker.last_error}
    text = _("account %(account)s: %(error)s") % said if name else breaker.last_error
    return Held(badge(_("left alone"), tone=BAD), text, ago(breaker.opened_at))
