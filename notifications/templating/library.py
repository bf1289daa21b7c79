"""Plurals, dates, numbers and money as the recipient's locale writes them.

Built into every template of notifications, edited ones and files alike. The rules and figures are
Unicode's CLDR, by Babel. The locale and the time zone are the recipient's, as
`notifications.rendering` has set them; a date is not shifted, a moment is.

    {% plural item_count one="one article" other="# articles" %}
    {{ data.due|date_in:"long" }}   {{ event.time|time_in:"short" }}
    {{ data.amount_minor|money:data.currency }}   {{ distance|number }}
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date, datetime, time
from decimal import Decimal
from functools import cache
from typing import Any

from babel import Locale, UnknownLocaleError, dates, numbers
from django import template
from django.conf import settings
from django.template.base import FilterExpression, Node, NodeList, Parser, Token, token_kwargs
from django.template.context import Context
from django.utils import timezone, translation
from django.utils.html import escape
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import gettext

register = template.Library()

CATEGORIES = ("zero", "one", "two", "few", "many", "other")
"""CLDR's plural categories; `other` is the one that every language has.
https://www.unicode.org/reports/tr35/tr35-numbers.html#Language_Plural_Rules"""

LENGTHS = ("short", "medium", "long", "full")
"""CLDR's lengths of dates and times."""

MINOR_DIGITS = {
    **dict.fromkeys(("BIF", "CLP", "DJF", "GNF", "ISK", "JPY", "KMF", "KRW", "PYG"), 0),
    **dict.fromkeys(("RWF", "UGX", "UYI", "VND", "VUV", "XAF", "XOF", "XPF"), 0),
    **dict.fromkeys(("BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"), 3),
    **dict.fromkeys(("CLF", "UYW"), 4),
}
"""How many digits of an amount are minor units, of each currency in which it is not two.

Of ISO 4217, in which everybody counts them. CLDR tells another number, that of the digits which
people write (none of forint or rupiah): by it, these would be a hundred times as much.
https://www.six-group.com/en/products-services/financial-information/market-reference-data/data-standards.html"""

_LETTER_AND_DIGIT = re.compile(r"(?<=[^\W\d_])(?=\d)")
"""CLDR parts a currency that ends in a letter from its figures (`currencySpacing`), Babel not."""

MOST = 10**18
"""What is larger is no number that anybody reads."""

NUMBER = "#"
"""Stands, in a plural's text, for the number itself."""


class BadValue(ValueError):
    """A value that a filter cannot write: the template is given something else than it thinks."""

    line: int | None = None


def locale() -> Locale:
    """The active locale as CLDR knows it, or the closest one that it does."""
    return _locale(translation.get_language() or settings.LANGUAGE_CODE)


@cache
def _locale(tag: str) -> Locale:
    subtags = tag.replace("_", "-").split("-")
    for length in range(len(subtags), 0, -1):
        try:
            return Locale.parse("-".join(subtags[:length]), sep="-")
        except (UnknownLocaleError, ValueError):
            continue
    return Locale.parse("en")


def categories_of(tag: str) -> frozenset[str]:
    """The plural categories of a language that whole numbers can fall into.

    Some rules name one for fractions only (French `many` is for millions): those are not asked of
    a translator, and `other` stands in for them.
    """
    rule = _locale(tag or settings.LANGUAGE_CODE).plural_form
    return frozenset(rule(number) for number in range(201)) | {"other"}


@register.filter
def date_in(value: Any, length: str = "medium") -> str:
    """A date, or the day of a moment where the recipient lives: "20 November 2026"."""
    return dates.format_date(_day(value), format=_length(length), locale=locale())


@register.filter
def time_in(value: Any, length: str = "short") -> str:
    """The time of a moment where the recipient lives: "11:30 PM"."""
    moment = _moment(value)
    if isinstance(moment, date) and not isinstance(moment, datetime):
        raise BadValue(gettext("%(value)r is a date and has no time") % {"value": value})
    return dates.format_time(_local(moment), format=_length(length), locale=locale())


@register.filter
def money(value: Any, currency: Any) -> str:
    """Whole minor units (cents) of an ISO 4217 currency: 1999|money:"EUR" is €19.99."""
    if isinstance(value, bool) or not isinstance(value, int):
        raise BadValue(gettext("money is whole minor units, not %(value)r") % {"value": value})
    code = str(currency)
    if code not in _currencies():
        raise BadValue(gettext("%(code)r is no ISO 4217 currency") % {"code": code[:10]})
    amount = Decimal(value).scaleb(-MINOR_DIGITS.get(code, 2))
    as_usual = amount == amount.to_integral_value() or bool(numbers.get_currency_precision(code))
    written = str(
        numbers.format_currency(
            amount,
            code,
            locale=locale(),
            currency_digits=as_usual,  # or what nobody pays in coins, and may yet be owed, is lost
            decimal_quantization=False,
        )
    )
    return _LETTER_AND_DIGIT.sub("\N{NO-BREAK SPACE}", written)


@register.filter
def number(value: Any) -> str:
    """A whole or decimal number: 1234.5 is 1.234,5 in German."""
    if isinstance(value, bool) or not isinstance(value, int | Decimal | float):
        raise BadValue(gettext("%(value)r is no number") % {"value": value})
    if not -MOST <= value <= MOST:
        raise BadValue(gettext("a number is at most 10^18 here"))
    return str(numbers.format_decimal(value, locale=locale()))


@register.tag
def plural(parser: Parser, token: Token) -> PluralNode:
    """`{% plural count one="…" few="…" other="…" %}`; # in a text is the number."""
    name, *bits = token.split_contents()
    if not bits:
        raise template.TemplateSyntaxError(
            gettext('%(name)s needs a number and texts: {%% plural count one="…" other="…" %%}')
            % {"name": name}
        )
    count = parser.compile_filter(bits.pop(0))
    texts = token_kwargs(bits, parser)
    if bits or not set(texts) <= set(CATEGORIES) or "other" not in texts:
        raise template.TemplateSyntaxError(
            gettext('%(name)s takes a text for each of %(categories)s, and needs other="…"')
            % {"name": name, "categories": ", ".join(CATEGORIES)}
        )
    return PluralNode(count, texts)


class PluralNode(Node):
    """count, texts: what a check walks through, too."""

    child_nodelists = ()

    def __init__(self, count: FilterExpression, texts: Mapping[str, FilterExpression]) -> None:
        self.count = count
        self.texts = texts

    def render(self, context: Context) -> SafeString:
        count = self.count.resolve(context)
        if isinstance(count, bool) or not isinstance(count, int | Decimal | float):
            error = BadValue(
                gettext("plural counts %(count)r, which is no number") % {"count": count}
            )
            error.line = self.token.lineno if self.token else None
            raise error
        figure = number(count)
        text = self.texts.get(locale().plural_form(count)) or self.texts["other"]
        written = text.resolve(context)
        pieces = str(written).split(NUMBER)
        if context.autoescape and not isinstance(written, SafeString):
            pieces = [escape(piece) for piece in pieces]  # only now: an apostrophe becomes &#x27;
        return mark_safe(figure.join(pieces))  # noqa: S308 - escaped above

    def get_nodes_by_type(self, nodetype: type[Node]) -> NodeList:
        return NodeList([self] if isinstance(self, nodetype) else [])


def _length(length: Any) -> Any:
    if length not in LENGTHS:
        raise BadValue(
            gettext("%(value)r is none of %(lengths)s")
            % {"value": str(length)[:20], "lengths": ", ".join(LENGTHS)}
        )
    return str(length)


def _day(value: Any) -> date:
    moment = _moment(value)
    if isinstance(moment, time):
        raise BadValue(gettext("%(value)r is a time and has no date") % {"value": value})
    return _local(moment).date() if isinstance(moment, datetime) else moment


def _local(moment: Any) -> Any:
    if isinstance(moment, datetime) and timezone.is_aware(moment):
        return timezone.localtime(moment)
    return moment


def _moment(value: Any) -> date | datetime | time:
    """As it is, or as an event's data writes it (ISO 8601)."""
    if isinstance(value, date | time):
        return value
    if isinstance(value, str):
        for kind in (date, datetime):
            try:
                return kind.fromisoformat(value)
            except ValueError:
                continue
    raise BadValue(gettext("%(value)r is no date") % {"value": str(value)[:40]})


@cache
def _currencies() -> frozenset[str]:
    return frozenset(Locale.parse("en").currencies)
