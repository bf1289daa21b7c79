"""Money: whole minor units and an ISO 4217 currency. No float ever comes near it."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from django.utils import translation
from django.utils.formats import number_format

from orders_site.orders.exceptions import OrderRefused

MAX_AMOUNT = 10**12
"""Minor units. More than any order of ours; far below a bigint even when many are added up."""


@dataclass(frozen=True)
class Currency:
    """`digits`: its minor digits in ISO 4217. `symbol`: as its own customers write it."""

    code: str
    digits: int
    symbol: str


CURRENCIES = {
    currency.code: currency
    for currency in (
        Currency("AUD", 2, "A$"),
        Currency("CHF", 2, "CHF"),
        Currency("EUR", 2, "€"),
        Currency("GBP", 2, "£"),
        Currency("JPY", 0, "¥"),
        Currency("KWD", 3, "KWD"),
        Currency("SEK", 2, "kr"),
        Currency("USD", 2, "$"),
    )
}

_SYMBOL_FIRST = frozenset({"en", "ja"})
_NBSP = "\u00a0"


@dataclass(frozen=True)
class Money:
    """An amount of one currency. Adding two currencies is refused, not converted."""

    currency: str
    amount: int

    def __post_init__(self) -> None:
        if self.currency not in CURRENCIES:
            raise OrderRefused(
                f"currency: {self.currency!r} is not one of {', '.join(CURRENCIES)}."
            )
        if isinstance(self.amount, bool) or not isinstance(self.amount, int):
            raise OrderRefused(f"amount: must be whole minor units, not {self.amount!r}.")
        if not 0 <= self.amount <= MAX_AMOUNT:
            raise OrderRefused(f"amount: must be 0 to {MAX_AMOUNT} minor units.")

    def __add__(self, other: Money) -> Money:
        if self.currency != other.currency:
            raise OrderRefused(f"currency: cannot add {other.currency} to {self.currency}.")
        return Money(self.currency, self.amount + other.amount)

    def __mul__(self, quantity: int) -> Money:
        return Money(self.currency, self.amount * quantity)

    @property
    def major(self) -> Decimal:
        """In the currency's own units: 1999 EUR cents are 19.99, 1999 yen are 1999."""
        return Decimal(self.amount).scaleb(-CURRENCIES[self.currency].digits)

    def format(self, locale: str = "en") -> str:
        """As a customer of that locale reads it: €1,234.50 in English, 1.234,50 € in German."""
        currency = CURRENCIES[self.currency]
        with translation.override(locale):
            number = number_format(
                self.major, decimal_pos=currency.digits, use_l10n=True, force_grouping=True
            )
        if locale.partition("-")[0].lower() not in _SYMBOL_FIRST:
            return f"{number}{_NBSP}{currency.symbol}"
        gap = _NBSP if currency.symbol.isalpha() else ""
        return f"{currency.symbol}{gap}{number}"

    def __str__(self) -> str:
        return self.format()
