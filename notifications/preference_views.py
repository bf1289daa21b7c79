"""The pages on which people say what they want to hear: one that stops one thing, one for all.

No login, no cookie, no script. GET shows and never changes anything: scanners of links and mail
programs that look ahead follow every link they see. POST changes, and needs no CSRF token: that
guards what a browser sends along by itself, and here there is nothing of the kind. What is posted
to, the signed link, is the proof, and RFC 8058 has the mail provider post it without any page.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import wraps
from itertools import groupby
from typing import Any

from django.db import router, transaction
from django.http import HttpRequest, HttpResponse
from django.utils import translation
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods

from notifications import preferences as wishes
from notifications import unsubscribe as links
from notifications.models import Preference
from notifications.preferences import CannotOptOut, Choice, Source, UnknownCategory
from notifications.public_page import show
from notifications.rendering import languages
from notifications.unsubscribe import Link, OldLink, PreferenceLink, WrongLink

CHANNELS = {
    "email": _("Email"),
    "sms": _("Text message (SMS)"),
    "whatsapp": _("WhatsApp"),
    "push": _("Notifications in the app"),
}
"""What people call them; another channel is shown by its name."""

BY = {
    "email": _("by email"),
    "sms": _("by text message"),
    "whatsapp": _("by WhatsApp"),
    "push": _("in the app"),
}
"""How something is told over them."""

View = Callable[..., HttpResponse]


def page(view: View) -> View:
    """What both share: GET and POST alone, strict headers, and a page for a link that is none."""

    @csrf_exempt
    @require_http_methods(["GET", "HEAD", "POST"])
    @wraps(view)
    def guarded(request: HttpRequest, token: str) -> HttpResponse:
        try:
            return view(request, token)
        except OldLink:
            return _no_link(request, {"is_old": True}, status=410)
        except WrongLink:
            return _no_link(request, {}, status=404)
        except UnknownCategory:
            return _no_link(request, {"is_over": True}, status=410)

    return guarded


@page
def unsubscribe(request: HttpRequest, token: str) -> HttpResponse:
    """Stop one category over one channel: the page, its two buttons, and the one click."""
    link = links.read(token)
    if request.method == "POST":
        asked = _asked(request)
        if asked is None:
            return HttpResponse("Post List-Unsubscribe=One-Click.", "text/plain", status=400)
        wanted, source = asked
        _say(link, wanted=wanted, source=source)
    with _speaking(request, link.locale):
        kind = wishes.category_of(link.category)
        context = {
            "kind": kind,
            "how": BY.get(link.channel) or gettext("by %s") % link.channel,
            "wanted": wishes.wanted(link.person, link.category, link.channel),
            "said": request.method == "POST",
            "choose": links.is_young(token) and link.choice.token,
        }
        return show("unsubscribe", context)


@page
def preferences(request: HttpRequest, token: str) -> HttpResponse:
    """Every category with its channels, as a form; what cannot be stopped is shown, and why."""
    link = links.read_preferences(token)
    if request.method == "POST":
        _choose(link, request)
    with _speaking(request, link.locale):
        context = {
            "rows": [_row(*each) for each in _by_category(wishes.choices(link.person))],
            "said": request.method == "POST",
        }
        return show("preferences", context)


def _asked(request: HttpRequest) -> tuple[bool, Source] | None:
    """What the button, or the mail program's own, asks for; None for a POST that is neither."""
    if request.POST.get("List-Unsubscribe") == "One-Click":
        return False, Source.ONE_CLICK
    match request.POST.get("wanted"):
        case "no":
            return False, Source.PAGE
        case "yes":
            return True, Source.PAGE
    return None


def _say(link: Link, *, wanted: bool, source: Source) -> None:
    """Two at once, or the same again, leave one change; what has become transactional, none."""
    try:
        wishes.set_preference(
            person=link.person,
            category=link.category,
            channel=link.channel,
            wanted=wanted,
            source=source,
            proof=_proof(link),
        )
    except CannotOptOut:
        return  # the page says so


def _choose(link: PreferenceLink, request: HttpRequest) -> None:
    """Say what differs from what holds, of what the form showed; the rest it cannot speak of.

    In one order for everybody, lest two forms at once wait for each other.
    """
    shown, ticked = set(request.POST.getlist("shown")), set(request.POST.getlist("wanted"))
    with transaction.atomic(using=router.db_for_write(Preference)):
        for choice in sorted(wishes.choices(link.person), key=_name):
            wanted = _name(choice) in ticked
            if choice.kind.transactional or _name(choice) not in shown or wanted == choice.wanted:
                continue
            wishes.set_preference(
                person=link.person,
                category=choice.category,
                channel=choice.channel,
                wanted=wanted,
                source=Source.PAGE,
                proof=_proof(link),
            )


def _by_category(choices: list[Choice]) -> Iterator[tuple[str, list[Choice]]]:
    for category, found in groupby(choices, key=lambda choice: choice.category):
        yield category, list(found)


def _row(category: str, choices: list[Choice]) -> dict[str, Any]:
    channels = [
        {"name": _name(each), "label": CHANNELS.get(each.channel, each.channel), "choice": each}
        for each in choices
    ]
    return {"name": category, "kind": wishes.category_of(category), "channels": channels}


def _name(choice: Choice) -> str:
    """How the form calls it."""
    return f"{choice.category}:{choice.channel}"


def _proof(link: Link | PreferenceLink) -> str:
    return f"delivery {link.delivery}" if link.delivery else ""


def _speaking(request: HttpRequest, locale: str) -> translation.override:
    """The language of the message that the link came in; else the browser's."""
    found = languages(locale) or [translation.get_language_from_request(request)]
    return translation.override(found[0])


def _no_link(request: HttpRequest, context: dict[str, Any], *, status: int) -> HttpResponse:
    with _speaking(request, ""):
        return show("wrong_link", context, status=status)
