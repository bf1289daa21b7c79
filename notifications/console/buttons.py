"""Buttons: what may be done about a row of a console's page; each leads to where it is confirmed.

One that this visitor may not press is there all the same, and says why.
"""

from __future__ import annotations

from dataclasses import dataclass

from django.db.models import Model
from django.http import HttpRequest
from django.utils.functional import Promise
from django.utils.http import urlencode

from notifications.admin.permitted import refusal
from notifications.console import pages
from notifications.models import Announcement, Delivery, Job, Pause, RateLimit

_MODELS: dict[str, type[Model]] = {
    "pause_sending": Pause,
    "change_ratelimit": RateLimit,
    "pause_announcement": Announcement,
    "cancel_announcement": Announcement,
    "run_bulk_job": Job,
    "discard_delivery": Delivery,
}


@dataclass(frozen=True)
class Button:
    """about: what it is done to, for whoever hears the page and does not see the row."""

    label: str | Promise
    about: str
    url: str
    why_not: str = ""


def button(
    request: HttpRequest, permission: str, label: str | Promise, about: str, url: str
) -> Button:
    """permission: a codename of `notifications`."""
    return Button(label, about, url, refusal(request, _MODELS[permission]._meta, permission))


def to(page: str, **parameters: str) -> str:
    """The address of a page of the console that takes parameters."""
    return f"{pages.url(page)}?{urlencode(parameters)}"


def anchor(kind: str, name: str) -> str:
    """The id of a row, by which the page is found again there."""
    return f"{kind}-{name}".replace("/", "-").replace(".", "-")
