"""`manage.py place_orders 200`: customers order, some parcels leave, some orders are cancelled."""

from __future__ import annotations

import json
import time
from argparse import ArgumentParser, ArgumentTypeError
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import OperationalError

from orders_site.inventory.samples import stock_up
from orders_site.orders.models import Order
from orders_site.orders.money import Money
from orders_site.orders.samples import Samples

ORDERS_PER_CUSTOMER = 3
SECONDS_BETWEEN_REPORTS = 1.0


class Command(BaseCommand):
    help = "Place believable orders, each in a transaction of its own, as customers would."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("orders", type=_between(int, 1, 1_000_000), help="how many")
        parser.add_argument(
            "--rate",
            type=_between(float, 0.01, 100_000),
            help="orders per second; unpaced if left out",
        )
        parser.add_argument(
            "--seed", type=_between(int, 0, 2**31), default=1, help="the same again (default: 1)"
        )
        parser.add_argument(
            "--ship", type=_between(float, 0, 1), default=0.0, help="share shipped at once, 0 to 1"
        )
        parser.add_argument(
            "--cancel",
            type=_between(float, 0, 1),
            default=0.0,
            help="share cancelled at once, 0 to 1",
        )
        parser.add_argument("--json", action="store_true", help="one JSON object instead of words")

    def handle(self, *, ship: float, cancel: float, **options: Any) -> None:
        if ship + cancel > 1:
            raise CommandError(f"--ship {ship} and --cancel {cancel} add up to more than 1.")
        try:
            self._place(ship=ship, cancel=cancel, **options)
        except OperationalError as error:
            raise CommandError(f"The database does not answer: {error}") from error

    def _place(self, *, orders: int, ship: float, cancel: float, **options: Any) -> None:
        samples = Samples(options["seed"])
        customers = samples.customers(max(1, orders // ORDERS_PER_CUSTOMER))
        stock_up(samples.catalogue())
        tally = Tally()
        for number in self._paced(orders, options["rate"]):
            order = samples.place(samples.choice(customers))
            tally.add(_send_on(samples, order, ship, cancel))
            self._report(number, orders, tally)
        summary = {**tally.summary(), "customers": len(customers), "seed": options["seed"]}
        self.stdout.write(json.dumps(summary) if options["json"] else _in_words(summary))

    def _paced(self, orders: int, rate: float | None) -> Iterator[int]:
        started = time.monotonic()
        for number in range(1, orders + 1):
            if rate:
                time.sleep(max(0.0, started + (number - 1) / rate - time.monotonic()))
            yield number

    def _report(self, number: int, orders: int, tally: Tally) -> None:
        """On the terminal only, and not so often that it costs anything."""
        if self.stderr.isatty() and (number == orders or tally.is_time_to_report()):
            self.stderr.write(
                f"\r{number:,} of {orders:,} orders, {tally.per_second():,.0f}/s ",
                ending="\n" if number == orders else "",
            )
            self.stderr.flush()


class Tally:
    """What was done so far."""

    def __init__(self) -> None:
        self._started = self._reported = time.monotonic()
        self._states: Counter[str] = Counter()
        self._sold: dict[str, Money] = {}

    def add(self, order: Order) -> None:
        self._states[order.state] += 1
        sold = self._sold.get(order.currency)
        self._sold[order.currency] = sold + order.total if sold else order.total

    def is_time_to_report(self) -> bool:
        now = time.monotonic()
        if now - self._reported < SECONDS_BETWEEN_REPORTS:
            return False
        self._reported = now
        return True

    def per_second(self) -> float:
        return self._states.total() / max(time.monotonic() - self._started, 1e-9)

    def summary(self) -> dict[str, Any]:
        return {
            "orders": self._states.total(),
            "shipped": self._states[Order.State.SHIPPED],
            "cancelled": self._states[Order.State.CANCELLED],
            "totals_minor": {code: money.amount for code, money in sorted(self._sold.items())},
            "seconds": round(time.monotonic() - self._started, 3),
            "per_second": round(self.per_second(), 1),
        }


def _send_on(samples: Samples, order: Order, ship: float, cancel: float) -> Order:
    fate = samples.chance()
    if fate < ship:
        return samples.ship(order)
    if fate < ship + cancel:
        return samples.cancel(order)
    return order


def _in_words(summary: dict[str, Any]) -> str:
    totals = ", ".join(str(Money(*entry)) for entry in summary["totals_minor"].items())
    return (
        f"Placed {_many(summary['orders'], 'order')} for "
        f"{_many(summary['customers'], 'customer')} in "
        f"{summary['seconds']} s ({summary['per_second']:,.0f}/s), worth {totals}.\n"
        f"Shipped {summary['shipped']:,}, cancelled {summary['cancelled']:,}. "
        f"Again the same: --seed {summary['seed']}."
    )


def _many(count: int, thing: str) -> str:
    return f"{count:,} {thing}{'' if count == 1 else 's'}"


def _between(kind: type, low: float, high: float) -> Callable[[str], Any]:
    def read(text: str) -> Any:
        try:
            value = kind(text)
        except ValueError:
            value = None
        if value is None or not low <= value <= high:
            raise ArgumentTypeError(f"{text!r} is not a number from {low:,} to {high:,}")
        return value

    return read
