"""What analytics does: keep each event once, and make each day's figures of them.

An event is one row of its own. A day is computed again, as a whole, when something came that
happened on it, however late: so figures are right however often, and by whomever, that is done.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import date, datetime, timedelta
from typing import TypeAlias
from uuid import UUID

from django.db import transaction
from django.db.models import Count, Sum
from django.utils import timezone

from orders_site.analytics import days
from orders_site.analytics.models import DailyFigures, DailyMoney, DailyOutcome, RecordedEvent
from orders_site.orders.money import Money

AT_ONCE = 5_000
"""Events taken note of, or deleted, in one transaction."""

Outcomes: TypeAlias = Mapping[tuple[str, str], int]
"""Notifications by channel and state."""


def record_event(
    *, event_id: UUID, type: str, subject: str, time: datetime, amount: Money | None = None
) -> None:
    """Keep one event, once, whoever brings it again."""
    row = RecordedEvent(
        event_id=event_id,
        type=type,
        subject=subject,
        time=time,
        amount_minor=amount.amount if amount else None,
        currency=amount.currency if amount else "",
    )
    RecordedEvent.objects.bulk_create([row], ignore_conflicts=True)


def take_note(*, limit: int = AT_ONCE) -> bool:
    """Mark the days stale on which the latest events happened. Whether there may be more of them.

    Days from before `days.first_kept` stay as they are: their events are not all there any more.
    """
    with transaction.atomic():
        times = RecordedEvent.objects.take_note(limit=limit)
        DailyFigures.objects.mark_stale(_kept(map(days.day_of, times)))
    return bool(times)


def touched_days() -> list[date]:
    """Those that `take_note` and `compute_next` have still to do, in order. Changes nothing."""
    stale = DailyFigures.objects.stale().values_list("day", flat=True)
    return sorted(_kept(RecordedEvent.objects.not_counted().days()) | set(stale))


def recompute(asked: Iterable[date]) -> None:
    """Have these days computed again, whatever was heard of them; those that are kept."""
    DailyFigures.objects.mark_stale(_kept(asked))


def compute_next(
    *, outcomes: Callable[[datetime, datetime], Outcomes | None]
) -> DailyFigures | None:
    """Compute the latest stale day. None if there is none that nobody else computes.

    outcomes: what became of the notifications made from one moment to another; None where they may
    not all be there any more: what was counted before stays.
    """
    with transaction.atomic():
        figures = DailyFigures.objects.lock_next_stale()
        if figures is not None:
            start, end = days.bounds(figures.day)
            _compute(figures, start, end)
            if (found := outcomes(start, end)) is not None:
                _replace_outcomes(figures, found)
    return figures


def prune_events(*, limit: int = AT_ONCE) -> int:
    """Delete the oldest events of days that are not computed any more; how many.

    A day more is kept, so that no day is computed while it is deleted.
    """
    before, _ = days.bounds(days.first_kept() - timedelta(days=1))
    old = RecordedEvent.objects.filter(time__lt=before).order_by("time").values("pk")[:limit]
    deleted, _ = RecordedEvent.objects.filter(pk__in=old).delete()
    return deleted


def _kept(touched: Iterable[date]) -> set[date]:
    first = days.first_kept()
    return {day for day in touched if day >= first}


def _compute(figures: DailyFigures, start: datetime, end: datetime) -> None:
    rows = RecordedEvent.objects.between(start, end).values_list("type", "currency")
    counts: dict[str, int] = {}
    money: dict[tuple[str, str], int] = {}
    for type, currency, count, amount in rows.annotate(Count("id"), Sum("amount_minor")):
        counts[type] = counts.get(type, 0) + count
        if currency:
            money[type, currency] = int(amount)
    figures.events = sum(counts.values())
    figures.orders_placed = counts.get("order.created", 0)
    figures.orders_shipped = counts.get("order.shipped", 0)
    figures.orders_cancelled = counts.get("order.cancelled", 0)
    figures.payments_failed = counts.get("payment.failed", 0)
    figures.stale = False
    figures.computed_at = timezone.now()
    figures.save()
    _replace_money(figures, money, RecordedEvent.objects.given_back(start, end))


def _replace_money(
    figures: DailyFigures, money: Mapping[tuple[str, str], int], given_back: Mapping[str, int]
) -> None:
    figures.money.all().delete()
    currencies = sorted({currency for _, currency in money} | set(given_back))
    DailyMoney.objects.bulk_create(
        DailyMoney(
            figures=figures,
            currency=currency,
            ordered_minor=money.get(("order.created", currency), 0),
            revenue_minor=money.get(("payment.completed", currency), 0),
            refunds_minor=money.get(("order.refunded", currency), 0) + given_back.get(currency, 0),
        )
        for currency in currencies
    )


def _replace_outcomes(figures: DailyFigures, outcomes: Outcomes) -> None:
    figures.outcomes.all().delete()
    DailyOutcome.objects.bulk_create(
        DailyOutcome(figures=figures, channel=channel, state=state, count=count)
        for (channel, state), count in sorted(outcomes.items())
    )
