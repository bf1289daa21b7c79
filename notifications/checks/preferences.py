"""System checks of categories, and of the way out that news must offer."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import urlsplit

from django.core.checks import CheckMessage, Error
from django.core.exceptions import ImproperlyConfigured
from django.urls import NoReverseMatch, reverse

from notifications.conf import conf
from notifications.events import all_event_types
from notifications.unsubscribe import NAMESPACE

_HERE = frozenset({"127.0.0.1", "localhost", "::1"})


def check_categories() -> Iterator[CheckMessage]:
    """notifications.E044: an event type's category is none. E045: one that contradicts itself."""
    known = conf().categories
    for kind in all_event_types():
        if kind.category not in known:
            yield Error(
                f"{kind.name} v{kind.version} is of the category {kind.category!r}, which is none.",
                hint=f'Add {kind.category!r}: Category(…) to NOTIFICATIONS["CATEGORIES"], or name '
                f"another in its @event(…); there are: {', '.join(sorted(known))}.",
                id="notifications.E044",
            )
    for name, category in sorted(known.items()):
        if category.transactional and category.opt_in:
            yield Error(
                f"The category {name!r} is transactional and opt_in: what everybody must be told "
                "cannot wait for their consent.",
                hint="Take one of the two away.",
                id="notifications.E045",
            )
        elif not name or ":" in name or len(name) > 40:
            yield Error(
                f"The category {name!r} has no name that can be kept.",
                hint="Use 1 to 40 characters without a colon.",
                id="notifications.E045",
            )


def check_way_out() -> Iterator[CheckMessage]:
    """notifications.E046: news goes out by email, and nobody could unsubscribe from it."""
    mailed = sorted(_news_by_email())
    url = urlsplit(conf().public_url)
    if not conf().public_url:
        if mailed:
            yield Error(
                f"{', '.join(mailed)}: news that go out by email, but "
                'NOTIFICATIONS["PUBLIC_URL"] is not set: no mail could say how to unsubscribe.',
                hint="Give the address at which customers reach this site: "
                '"https://shop.example"; the shop reads the environment\'s PUBLIC_URL.',
                id="notifications.E046",
            )
        return
    if not url.hostname or url.query or url.fragment or not _is_safe(url.scheme, url.hostname):
        yield Error(
            f'NOTIFICATIONS["PUBLIC_URL"] is {conf().public_url!r}: a mail provider posts an '
            "unsubscription over https only.",
            hint='Give an address such as "https://shop.example" (http only on this machine).',
            id="notifications.E046",
        )
    try:
        reverse(f"{NAMESPACE}:unsubscribe", args=["token"])
    except (NoReverseMatch, ImproperlyConfigured):
        yield Error(
            'NOTIFICATIONS["PUBLIC_URL"] is set, but nothing leads to the pages behind it.',
            hint='Add path("notifications/", include("notifications.urls")) to your urls.py.',
            id="notifications.E046",
        )


def _news_by_email() -> Iterator[str]:
    for kind in all_event_types():
        category = conf().categories.get(kind.category)
        routed = {route.channel for route in conf().routes.get(kind.name, ())}
        if category and not category.transactional and "email" in routed:
            yield kind.name


def _is_safe(scheme: str, host: str) -> bool:
    return scheme == "https" or (scheme == "http" and host in _HERE)
