"""`manage.py rollup`: make the days' figures now, as the relays do every minute."""

from __future__ import annotations

import json
from argparse import ArgumentTypeError
from collections.abc import Iterator
from datetime import date
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import Error as DatabaseError

from orders_site.analytics import days, services, words
from orders_site.analytics.chores import outcomes
from orders_site.analytics.models import DailyFigures


class Command(BaseCommand):
    help = (
        "Compute the figures of each day on which something happened of which we heard since, "
        "as the relays do every minute. They stand in the admin, under Analytics."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--since",
            type=_day,
            metavar="DAY",
            help="each day from this one (2026-11-25) to today, whatever was heard",
        )
        parser.add_argument("--dry-run", action="store_true", help="say which days would be")
        parser.add_argument("--json", action="store_true", help="print one JSON object")

    def handle(self, *, since: date | None, dry_run: bool, json: bool, **_options: Any) -> None:
        first = days.first_kept()
        if since and not first <= since <= days.today():
            raise CommandError(
                f"--since {since}: must be a day from {first}, before which events are no longer "
                "kept, to today."
            )
        asked = days.since(since) if since else []
        try:
            if dry_run:
                self._say_days(sorted({*asked, *services.touched_days()}), as_json=json)
            else:
                self._say_figures(_computed(asked), as_json=json)
        except DatabaseError as error:
            raise CommandError(f"The database refuses: {str(error).splitlines()[0]}") from None

    def _say_days(self, due: list[date], *, as_json: bool) -> None:
        if as_json:
            self._say_json({"would_compute": [day.isoformat() for day in due]})
            return
        for day in due:
            self.stdout.write(f"  {day} would be computed")
        self.stdout.write("Nothing was done.")

    def _say_figures(self, computed: Iterator[DailyFigures], *, as_json: bool) -> None:
        if as_json:
            self._say_json({"days": [_as_data(figures) for figures in computed]})
            return
        count = 0
        for count, figures in enumerate(computed, 1):  # noqa: B007 - counted
            self.stdout.write(f"  {_in_words(figures)}")
        self.stdout.write(f"{count} day{'' if count == 1 else 's'} computed")

    def _say_json(self, said: dict[str, Any]) -> None:
        self.stdout.write(json.dumps(said))


def _computed(asked: list[date]) -> Iterator[DailyFigures]:
    services.recompute(asked)
    while services.take_note():
        pass
    while figures := services.compute_next(outcomes=outcomes):
        yield figures


def _as_data(figures: DailyFigures) -> dict[str, Any]:
    notified: dict[str, dict[str, int]] = {}
    for row in figures.outcomes.all():
        notified.setdefault(row.channel, {})[row.state] = row.count
    return {
        "day": figures.day.isoformat(),
        "events": figures.events,
        "orders_placed": figures.orders_placed,
        "orders_shipped": figures.orders_shipped,
        "orders_cancelled": figures.orders_cancelled,
        "payments_failed": figures.payments_failed,
        "money": {
            row.currency: {
                "ordered_minor": row.ordered_minor,
                "revenue_minor": row.revenue_minor,
                "refunds_minor": row.refunds_minor,
            }
            for row in figures.money.all()
        },
        "notifications": notified,
    }


def _in_words(figures: DailyFigures) -> str:
    money = list(figures.money.all())
    told = words.by_channel(figures.outcomes.all())
    orders = (
        f"{figures.orders_placed:,} placed, {figures.orders_shipped:,} shipped, "
        f"{figures.orders_cancelled:,} cancelled"
    )
    parts = [
        orders,
        f"{figures.payments_failed:,} payments failed",
        f"revenue {' + '.join(words.amounts(money, 'revenue_minor')) or 'none'}",
        f"refunds {' + '.join(words.amounts(money, 'refunds_minor')) or 'none'}",
        *(f"{channel} {counts}" for channel, counts in told.items()),
    ]
    return f"{figures.day}: {'; '.join(parts)}"


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise ArgumentTypeError(f"{text!r} is no day; write it as 2026-11-25") from None
