"""Asking: the page on which something that changes what is sent is confirmed, with its reason.

    Ask(title=_("Pause queue email"), verb=_("Pause"), back=pages.url("queues"), hidden={...})

A GET shows what would happen, a POST to the same address does it; each says how it is done from
the command line.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from django.http import HttpRequest, HttpResponse
from django.utils.functional import Promise
from django.utils.translation import gettext as _

from notifications.admin.moves import MOST_REASON
from notifications.console import pages

Text = str | Promise


@dataclass(frozen=True)
class Field:
    """One text beside the reason. needed: the browser insists on it."""

    name: str
    label: Text
    value: str = ""
    help: Text = ""
    needed: bool = True


@dataclass(frozen=True)
class Form:
    """One thing that can be done: its button, and what is asked for it."""

    verb: str
    button: Text
    fields: Sequence[Field] = ()
    says: Text = ""
    ends: bool = False


@dataclass(frozen=True)
class Ask:
    """says: what would happen, a paragraph each. facts: how it stands. hidden: what the form sends
    along. twin: how the same is said to manage.py. back: where it came from, and goes to."""

    title: Text
    forms: Sequence[Form]
    back: str
    says: Sequence[Text] = ()
    facts: Sequence[tuple[Text, object]] = ()
    hidden: Mapping[str, str] = field(default_factory=dict)
    twin: str = ""


def show(request: HttpRequest, ask: Ask, *, wrong: str = "") -> HttpResponse:
    """The form; after a POST that could not be done, with what was wrong, and what was typed."""
    typed = request.POST if request.method == "POST" else {}
    verb = str(typed.get("verb", ""))
    forms = [
        {
            "form": form,
            "fields": [
                (each, typed.get(each.name, each.value) if form.verb == verb else each.value)
                for each in form.fields
            ],
            "reason": typed.get("reason", "") if form.verb == verb else "",
        }
        for form in ask.forms
    ]
    response = pages.render(
        request, "ask.html", title=ask.title, ask=ask, forms=forms, wrong=wrong, most=MOST_REASON
    )
    response.status_code = 400 if wrong else 200
    return response


def no_reason() -> str:
    return _("Give a reason of 1 to %(most)d characters.") % {"most": MOST_REASON}
