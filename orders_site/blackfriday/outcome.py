"""What the day came to: judged by what the providers took, against what was sold and promised."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db.models import F, Max
from rich.console import Console

from notifications.local.providers.client import Charge, SandboxClient
from notifications.models import DeadLetter, Event
from orders_site.analytics.models import RecordedEvent
from orders_site.blackfriday.sale import BAD, CURRENCY, Sale
from orders_site.demo import books
from orders_site.demo.balance import balance
from orders_site.demo.manifest import Call, Manifest
from orders_site.demo.shelf import astray
from orders_site.demo.verdict import judge
from orders_site.orders.models import Order

MOST_SHOWN = 10


@dataclass(frozen=True)
class Outcome:
    """lost: orders that were never charged, messages that never arrived, events that analytics
    never had. processed_twice: those of which there was more than one. Lags in seconds.

    processed_after: the bad orders that were charged once, after the mend. payments_lag_p95: of all
    but those, from the order to its charge. wrong: whatever else is not as it should be, in words.
    """

    orders: int
    bad: int
    dead_lettered: int
    redriven: int
    processed_after: int
    processed_twice: Sequence[str]
    lost: Sequence[str]
    payments_lag_p95: float
    analytics_lag_max: float
    events: int
    wrong: Sequence[str]
    seconds: float

    @classmethod
    def of(
        cls,
        sale: Sale,
        manifest: Manifest,
        sandbox: SandboxClient,
        *,
        dead_lettered: int,
        redriven: int,
        mended_at: datetime,
        stocked: Mapping[str, int],
        seconds: float,
    ) -> Outcome:
        charges = sandbox.charges()
        balanced = balance(books.sales(charges), books.takings(charges))
        told = judge(
            manifest,
            (Call(m.subject, m.event_type, m.channel, m.address) for m in sandbox.accepted()),
        )
        recorded = Counter(RecordedEvent.objects.values_list("event_id", flat=True))
        events = set(Event.objects.values_list("pk", flat=True))
        bad = {f"order/{order}" for order in sale.bad}
        afterwards = Counter(each.reference for each in charges if each.created_at >= mended_at)
        return cls(
            orders=len(sale.placed),
            bad=len(sale.bad),
            dead_lettered=dead_lettered,
            redriven=redriven,
            processed_after=sum(afterwards[reference] == 1 for reference in bad),
            processed_twice=[
                *(f"order/{order} was charged twice" for order in balanced.charged_twice),
                *(f"{_named(call)} was told twice" for call in told.doubled),
                *(f"event {event} was recorded twice" for event, n in recorded.items() if n > 1),
            ],
            lost=[
                *(f"order/{order} was never charged" for order in balanced.uncharged),
                *(f"{_named(call)} was never told" for call in told.lost),
                *(f"event {event} was never recorded" for event in events - recorded.keys()),
            ],
            payments_lag_p95=_p95(_charge_lags(charges, without=bad)),
            analytics_lag_max=_longest_way_to_analytics(),
            events=len(events),
            wrong=[
                *balanced.off,
                *astray(stocked, books.on_hand(), books.parcels()),
                *(f"{_named(call)} was told, and nobody asked for it" for call in told.uncalled),
                *(f"a dead letter is left: {letter.error}" for letter in _open_letters()),
            ],
            seconds=seconds,
        )

    @property
    def good(self) -> bool:
        home = {self.bad, self.dead_lettered, self.redriven, self.processed_after}
        return home == {BAD} and not (self.processed_twice or self.lost or self.wrong)

    def show(self, console: Console) -> None:
        console.print(
            f"\n{self.orders:,} orders, {self.events:,} events in {self.seconds:.0f} s.\n"
            f"Analytics fell {self.analytics_lag_max:.0f} s behind, and no customer noticed: 95 of "
            f"100 orders were charged within {self.payments_lag_p95:.1f} s.\n"
            f"{self.bad} orders in {CURRENCY} could not be charged: {self.dead_lettered} dead "
            f"letters of one cause. It was mended, and {self.redriven} were redriven: "
            f"{self.processed_after} are charged, {len(self.processed_twice)} twice.\n"
            f"In all, {len(self.lost)} lost, {len(self.processed_twice)} done twice."
        )
        for line in [*self.lost, *self.processed_twice, *self.wrong][:MOST_SHOWN]:
            console.print(f"  {line}", style="red", markup=False)
        console.print("held: all came home, none twice" if self.good else "[red]FAILED[/]")

    def as_line(self) -> str:
        return json.dumps(
            {
                "orders": self.orders,
                "bad": self.bad,
                "dead_lettered": self.dead_lettered,
                "redriven": self.redriven,
                "processed_after": self.processed_after,
                "processed_twice": len(self.processed_twice),
                "lost": len(self.lost),
                "payments_lag_p95": round(self.payments_lag_p95, 3),
                "analytics_lag_max": round(self.analytics_lag_max, 1),
                "seconds": round(self.seconds, 1),
            }
        )


def _charge_lags(charges: Iterable[Charge], *, without: set[str]) -> list[float]:
    placed = {f"order/{pk}": at for pk, at in Order.objects.values_list("pk", "placed_at")}
    return [
        (charge.created_at - placed[charge.reference]).total_seconds()
        for charge in charges
        if charge.reference in placed and charge.reference not in without
    ]


def _longest_way_to_analytics() -> float:
    ways = RecordedEvent.objects.aggregate(longest=Max(F("recorded_at") - F("time")))
    return ways["longest"].total_seconds() if ways["longest"] else 0.0


def _p95(lags: list[float]) -> float:
    """The least that 95 of 100 do not exceed."""
    return sorted(lags)[math.ceil(len(lags) * 0.95) - 1] if lags else 0.0


def _open_letters() -> Iterable[DeadLetter]:
    return DeadLetter.objects.filter(state=DeadLetter.State.OPEN)


def _named(call: Call) -> str:
    return f"{call.event_type} of {call.subject} by {call.channel}"
