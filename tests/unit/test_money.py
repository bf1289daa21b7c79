from __future__ import annotations

import pytest

from orders_site.orders.exceptions import OrderRefused
from orders_site.orders.money import MAX_AMOUNT, Money


@pytest.mark.parametrize(
    ("money", "locale", "text"),
    [
        (Money("EUR", 123450), "en", "€1,234.50"),
        (Money("EUR", 123450), "de", "1.234,50\N{NO-BREAK SPACE}€"),
        (Money("USD", 5), "en-US", "$0.05"),
        (Money("GBP", 10000), "en-gb", "£100.00"),
        (Money("CHF", 100), "en", "CHF\N{NO-BREAK SPACE}1.00"),
        (Money("SEK", 147900), "de", "1.479,00\N{NO-BREAK SPACE}kr"),
        (Money("EUR", 0), "de", "0,00\N{NO-BREAK SPACE}€"),
    ],
)
def test_money_is_written_as_people_of_that_locale_read_it(
    money: Money, locale: str, text: str
) -> None:
    assert money.format(locale) == text


def test_yen_have_no_minor_digits_and_dinars_have_three() -> None:
    assert Money("JPY", 12900).format("en") == "¥12,900"
    assert Money("KWD", 1234567).format("en") == "KWD\N{NO-BREAK SPACE}1,234.567"


def test_every_digit_of_a_large_amount_is_kept() -> None:
    assert Money("USD", MAX_AMOUNT - 1).format("en") == "$9,999,999,999.99"


def test_two_currencies_are_not_added() -> None:
    with pytest.raises(OrderRefused, match="cannot add USD to EUR"):
        Money("EUR", 1) + Money("USD", 1)


@pytest.mark.parametrize(
    ("currency", "amount", "message"),
    [
        ("EUR", -1, "amount: must be 0 to"),
        ("EUR", MAX_AMOUNT + 1, "amount: must be 0 to"),
        ("EUR", 1.5, "whole minor units"),
        ("EUR", True, "whole minor units"),
        ("XXX", 1, "currency: 'XXX' is not one of"),
    ],
)
def test_what_is_no_amount_is_refused_with_the_field_named(
    currency: str, amount: object, message: str
) -> None:
    with pytest.raises(OrderRefused, match=message):
        Money(currency, amount)  # type: ignore[arg-type]
