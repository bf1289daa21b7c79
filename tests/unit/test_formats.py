"""Plurals, dates, numbers and money, as the recipient's locale writes them."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.template import Context, TemplateSyntaxError
from django.utils import timezone, translation

from notifications.templating import files, library
from notifications.templating.library import BadValue

EVENING = datetime(2026, 11, 20, 23, 30, tzinfo=UTC)


def show(text: str, *, locale: str = "en", zone: str = "UTC", **given: Any) -> str:
    with translation.override(locale), timezone.override(ZoneInfo(zone)):
        shown = files.engine().from_string(text).render(Context(given, autoescape=True))
    return shown.replace("\u00a0", " ").replace("\u202f", " ")


@pytest.mark.parametrize(
    ("locale", "count", "text"),
    [
        ("en", 1, "1 item"),
        ("en", 0, "0 items"),
        ("en", 1200, "1,200 items"),
        ("fr", 0, "0 item"),
        ("pl", 1, "1 item"),
        ("pl", 3, "3 few"),
        ("pl", 5, "5 many"),
        ("pl", 22, "22 few"),
        ("ja", 1, "1 items"),
        ("de-at", 1, "1 item"),
        ("xx-nowhere", 2, "2 items"),
    ],
)
def test_a_plural_follows_the_rules_of_the_language(locale: str, count: int, text: str) -> None:
    tag = '{% plural n one="# item" few="# few" many="# many" other="# items" %}'
    assert show(tag, locale=locale, n=count) == text


def test_a_plural_escapes_what_is_put_into_it() -> None:
    assert show("{% plural n other=name %}", n=2, name="<b>#") == "&lt;b&gt;2"
    assert show("{% plural n other=name %}", n=2, name="# of Mary's") == "2 of Mary&#x27;s"
    assert show('{% plural n other="<b>#</b>" %}', n=2) == "<b>2</b>"


@pytest.mark.parametrize(
    "text",
    [
        "{% plural %}",
        '{% plural n one="x" %}',
        '{% plural n other="x" lots="y" %}',
        "{% plural n x %}",
    ],
)
def test_a_plural_without_its_texts_does_not_compile(text: str) -> None:
    with pytest.raises(TemplateSyntaxError):
        show(text, n=1)


def test_the_categories_that_a_translator_is_asked_for() -> None:
    assert library.categories_of("pl") == {"one", "few", "many", "other"}
    assert library.categories_of("de-at") == {"one", "other"}
    assert library.categories_of("ja") == {"other"}


@pytest.mark.parametrize(
    ("text", "locale", "zone", "shown"),
    [
        ("{{ d|date_in:'long' }}", "en", "UTC", "November 20, 2026"),
        ("{{ d|date_in:'long' }}", "en-gb", "UTC", "20 November 2026"),
        ("{{ d|date_in:'full' }}", "de", "UTC", "Freitag, 20. November 2026"),
        ("{{ d|date_in:'full' }}", "de", "Europe/Berlin", "Samstag, 21. November 2026"),
        ("{{ d|date_in }}", "de", "UTC", "20.11.2026"),
        ("{{ d|time_in }}", "de", "Europe/Berlin", "00:30"),
        ("{{ d|time_in }}", "en", "UTC", "11:30 PM"),
        ("{{ day|date_in:'long' }}", "de", "Pacific/Auckland", "20. November 2026"),
        ("{{ '2026-11-20T23:30:00+00:00'|date_in:'short' }}", "de", "Europe/Berlin", "21.11.26"),
    ],
)
def test_a_date_is_written_where_and_as_the_recipient_lives(
    text: str, locale: str, zone: str, shown: str
) -> None:
    assert show(text, locale=locale, zone=zone, d=EVENING, day=date(2026, 11, 20)) == shown


@pytest.mark.parametrize(
    ("amount", "currency", "locale", "shown"),
    [
        (123450, "EUR", "de", "1.234,50 €"),
        (123450, "EUR", "en", "€1,234.50"),
        (123450, "JPY", "ja", "￥123,450"),
        (123450, "KWD", "en", "KWD 123.450"),
        (499000, "HUF", "hu", "4 990 Ft"),
        (499050, "HUF", "en", "HUF 4,990.50"),
        (15000000, "IDR", "id", "Rp 150.000"),
        (1250, "IQD", "en", "IQD 1.25"),
        (-5, "USD", "en", "-$0.05"),
        (99999999999999999, "EUR", "en", "€999,999,999,999,999.99"),
    ],
)
def test_money_is_whole_minor_units_of_its_currency(
    amount: int, currency: str, locale: str, shown: str
) -> None:
    assert show("{{ a|money:c }}", locale=locale, a=amount, c=currency) == shown


def test_a_number_is_grouped_and_pointed_as_the_locale_does() -> None:
    assert show("{{ n|number }}", locale="de", n=Decimal("1234567.5")) == "1.234.567,5"
    assert show("{{ n|number }}", locale="en", n=1234567) == "1,234,567"


@pytest.mark.parametrize(
    ("text", "given"),
    [
        ("{{ a|money:'EUR' }}", {"a": 19.99}),
        ("{{ a|money:'EUR' }}", {"a": True}),
        ("{{ a|money:'EUR' }}", {"a": "1999"}),
        ("{{ a|money:'XYW' }}", {"a": 1999}),
        ("{{ a|date_in }}", {"a": "yesterday"}),
        ("{{ a|date_in:'tiny' }}", {"a": EVENING}),
        ("{{ a|time_in }}", {"a": date(2026, 1, 1)}),
        ("{{ a|number }}", {"a": 10**19}),
        ("{{ a|number }}", {"a": "7"}),
        ("{% plural a other='x' %}", {"a": "7"}),
    ],
)
def test_what_cannot_be_written_is_an_error(text: str, given: dict[str, Any]) -> None:
    with pytest.raises(BadValue):
        show(text, **given)
