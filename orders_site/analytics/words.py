"""Figures as people read them: money in its currency, outcomes by channel."""

from __future__ import annotations

from collections.abc import Iterable

from orders_site.analytics.models import DailyMoney, DailyOutcome
from orders_site.orders.money import CURRENCIES, MAX_AMOUNT, Money


def amount(currency: str, minor: int) -> str:
    """€1,234.50; the bare figures where Money knows no such currency or amount."""
    if currency in CURRENCIES and 0 <= minor <= MAX_AMOUNT:
        return str(Money(currency, minor))
    return f"{minor:,} minor units of {currency}"


def amounts(money: Iterable[DailyMoney], column: str) -> list[str]:
    """What stands in `column` ("revenue_minor"), in each currency in which there is some."""
    found = ((row.currency, getattr(row, column)) for row in money)
    return [amount(currency, minor) for currency, minor in sorted(found) if minor]


def by_channel(outcomes: Iterable[DailyOutcome]) -> dict[str, str]:
    """{"email": "12 delivered, 1 bounced"}: the most frequent first."""
    found: dict[str, list[str]] = {}
    for row in sorted(outcomes, key=lambda row: (row.channel, -row.count, row.state)):
        found.setdefault(row.channel, []).append(f"{row.count:,} {row.state}")
    return {channel: ", ".join(counts) for channel, counts in found.items()}
