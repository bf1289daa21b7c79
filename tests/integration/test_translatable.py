"""Every text of the operators' pages can be translated.

Shown by a language in which each text that can be is marked: none is found without the mark.
"""

from __future__ import annotations

from collections.abc import Iterator
from html.parser import HTMLParser
from http import HTTPStatus
from typing import Any

import pytest
from django.contrib import admin
from django.contrib.auth.models import User
from django.http import HttpRequest
from django.test import Client, RequestFactory
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import trans_real

from notifications import events
from notifications.console import pages
from orders_site.analytics.models import DailyFigures
from orders_site.api.models import ApiClient
from orders_site.orders.models import Order, Refund
from tests.integration.operator_rows import make_everything
from tests.shop import an_order
from tests.stock import placed

pytestmark = pytest.mark.django_db

MARK = "⟦"
WORDS = {
    "th",
    "label",
    "button",
    "legend",
    "caption",
    "summary",
    "h1",
    "h2",
    "h3",
    "option",
    "dt",
    "p",
}
"""Elements whose text is the page's own, not the rows'."""

SAID = {"title", "aria-label", "data-paused"}
"""Attributes that are read to people."""


class Marked(trans_real.DjangoTranslation):  # type: ignore[misc]
    """Esperanto, in which every text is its English between brackets."""

    def gettext(self, message: str) -> str:
        return f"{MARK}{message}⟧" if message else ""

    def pgettext(self, context: str, message: str) -> str:
        return self.gettext(message)

    def ngettext(self, one: str, many: str, n: int) -> str:
        return self.gettext(one if n == 1 else many)

    def npgettext(self, context: str, one: str, many: str, n: int) -> str:
        return self.ngettext(one, many, n)


class Words(HTMLParser):
    """The texts of those elements and attributes that hold some, letter by letter."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []
        self._open: list[tuple[str, list[str]]] = []
        self._before = ""
        self._value: str | None = None

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        attributes = dict(attrs)
        if tag != "time":  # whose title is the exact one
            self.found += [_plain(attributes[name] or "") for name in SAID & attributes.keys()]
        of_a_row = (
            (tag == "th" and attributes.get("scope") != "col")
            or (tag == "h2" and (not attrs or str(attributes.get("id")).startswith("group-")))
            or (tag == "p" and self._before == "td")
            or attributes.get("class") == "notifications-error"
        )
        self._before = tag
        if tag in WORDS and not of_a_row:
            self._open.append((tag, []))
            self._value = attributes.get("value")

    def handle_endtag(self, tag: str) -> None:
        if self._open and self._open[-1][0] == tag:
            text = _plain("".join(self._open.pop()[1]))
            if not (tag == "option" and text == self._value):  # a name, as it is kept
                self.found.append(text)

    def handle_data(self, data: str) -> None:
        if self._open:
            self._open[-1][1].append(data)


def _plain(text: str) -> str:
    return " ".join(text.split())


@pytest.fixture
def esperanto(settings: Any) -> Iterator[None]:
    settings.LANGUAGE_CODE = "eo"
    settings.LANGUAGES = [("eo", "Esperanto")]
    trans_real._translations["eo"] = Marked("eo")
    yield
    del trans_real._translations["eo"]


def is_row(text: str) -> bool:
    """An event type heads a part of the list of templates, and is offered there."""
    return any(text.startswith(kind.name) for kind in events.all_event_types())


def urls(request: HttpRequest) -> Iterator[str]:
    for model, model_admin in admin.site._registry.items():
        if model._meta.app_label != "auth":
            name = f"{model._meta.app_label}_{model._meta.model_name}"
            yield reverse(f"admin:{name}_changelist")
            if model_admin.has_add_permission(request):
                yield reverse(f"admin:{name}_add")
            row = model._default_manager.first()
            if row is not None and model._meta.model_name != "template":
                yield reverse(f"admin:{name}_change", args=[row.pk])
    for page in pages.all_pages():
        if "<" not in page.route:
            yield reverse(f"admin:{page.url_name}")


def test_every_heading_label_and_button_can_be_translated(esperanto: None) -> None:
    placed(an_order())
    make_everything()
    Refund.objects.create(order=Order.objects.get(), amount_minor=1, refunded_at=timezone.now())
    DailyFigures.objects.create(day=timezone.localdate())
    ApiClient.objects.create(name="partner")
    request = RequestFactory().get("/")
    request.user = User.objects.create_superuser("ada")
    client = Client()
    client.force_login(request.user)
    untranslated: dict[str, list[str]] = {}
    for url in urls(request):
        words = Words()
        answer = client.get(url)
        if answer.status_code == HTTPStatus.NOT_FOUND:
            continue  # a page of the console that asks which
        words.feed(answer.content.decode())
        for text in words.found:
            if MARK not in text and any(letter.isalpha() for letter in text) and not is_row(text):
                untranslated.setdefault(text, []).append(url)
    assert not untranslated, "\n".join(
        f"{text}: {' '.join(sorted(set(where))[:3])}"
        for text, where in sorted(untranslated.items())
    )
