"""What the demo shows while it runs, and the summary at its end."""

from __future__ import annotations

import time
from collections import defaultdict
from dataclasses import dataclass, field

from django.db.models import Count, Max, Model
from rich.box import SIMPLE
from rich.console import Group
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from notifications.models import Attempt, Delivery, Dispatch, Event
from orders_site.payments.models import Payment, PaymentRefund

USUAL = frozenset({"sending", "retrying", "sent", "delivered", "skipped"})
"""The states that always have a column; any other gets one with its first delivery, so that the
table fits into 80 characters."""


@dataclass
class Snapshot:
    """The run as the database sees it at one moment; counts are of this run alone."""

    orders: int = 0
    events: int = 0
    published: int = 0
    attempts: int = 0
    deliveries: dict[str, dict[str, int]] = field(default_factory=dict)
    payments: dict[str, int] = field(default_factory=dict)
    refunds: dict[str, int] = field(default_factory=dict)

    @property
    def open(self) -> int:
        return self.unsettled + sum(
            count
            for states in self.deliveries.values()
            for state, count in states.items()
            if state in {"pending", "sending", "retrying"}
        )

    @property
    def unsettled(self) -> int:
        """Orders to be charged still, and refunds to be made."""
        owed = {"expected", "charging", "due", "refunding"}
        counts = (*self.payments.items(), *self.refunds.items())
        return sum(count for state, count in counts if state in owed)

    @property
    def sent(self) -> int:
        """What a provider has taken, whatever it said of it later."""
        return sum(
            count
            for states in self.deliveries.values()
            for state, count in states.items()
            if state in {"sent", "delivered", "bounced", "complained"}
        )


@dataclass
class Baseline:
    """Where this run begins: earlier runs on the same database are not counted."""

    event: object = None
    dispatch: int = 0
    attempt: int = 0
    payment: int = 0
    refund: int = 0

    @classmethod
    def now(cls) -> Baseline:
        last_event = Event.objects.order_by("-id").values_list("id", flat=True).first()
        last_dispatch = Dispatch.objects.order_by("-id").values_list("id", flat=True).first()
        last_attempt = Attempt.objects.order_by("-id").values_list("id", flat=True).first()
        return cls(
            last_event,
            last_dispatch or 0,
            last_attempt or 0,
            payment=Payment.objects.aggregate(last=Max("pk"))["last"] or 0,
            refund=PaymentRefund.objects.aggregate(last=Max("pk"))["last"] or 0,
        )

    def snapshot(self, *, orders: int) -> Snapshot:
        events = Event.objects.all()
        deliveries = Delivery.objects.all()
        if self.event is not None:  # ids are UUIDv7: later ones are greater
            events = events.filter(id__gt=self.event)
            deliveries = deliveries.filter(event_id__gt=self.event)
        by_channel: dict[str, dict[str, int]] = defaultdict(dict)
        for row in deliveries.values("channel", "state").annotate(n=Count("id")):
            by_channel[row["channel"]][row["state"]] = row["n"]
        return Snapshot(
            orders=orders,
            events=events.count(),
            published=Dispatch.objects.filter(
                id__gt=self.dispatch, state=Dispatch.State.PUBLISHED
            ).count(),
            attempts=Attempt.objects.filter(id__gt=self.attempt)
            .exclude(outcome=Attempt.Outcome.SKIPPED)
            .count(),
            deliveries={channel: by_channel[channel] for channel in sorted(by_channel)},
            payments=_by_state(Payment, self.payment),
            refunds=_by_state(PaymentRefund, self.refund),
        )


def _by_state(model: type[Model], last: int) -> dict[str, int]:
    """How many rows there are in each state, of those after the one with that id."""
    rows = model._default_manager.filter(pk__gt=last).values_list("state")
    return dict(rows.annotate(n=Count("pk")))


class Progress:
    """Draws snapshots; throughput is over the last few seconds, in messages sent per second."""

    WINDOW = 5.0

    def __init__(
        self, *, orders_wanted: int | None, addresses: dict[str, str], limits: str = "none"
    ) -> None:
        self._wanted = orders_wanted
        self.addresses = addresses
        self.limits = limits
        self._started = time.monotonic()
        self._history: list[tuple[float, int]] = [(self._started, 0)]

    @property
    def seconds(self) -> float:
        return time.monotonic() - self._started

    def draw(self, snapshot: Snapshot) -> Group:
        """The whole display for one moment."""
        return Group(
            Panel(self._places(), title="open these", title_align="left", border_style="dim"),
            self._counts(snapshot),
            self._deliveries(snapshot),
            self._hint(snapshot),
        )

    def line(self, snapshot: Snapshot) -> str:
        """The same in one line, for terminals that cannot redraw and for logs."""
        return (
            f"{self.seconds:6.1f} s  orders {snapshot.orders}  events {snapshot.events}  "
            f"published {snapshot.published}  attempts {snapshot.attempts}  "
            f"charged {snapshot.payments.get('completed', 0)}  "
            f"sent {snapshot.sent}  open {snapshot.open}  {self._throughput(snapshot):.0f}/s"
        )

    def _hint(self, snapshot: Snapshot) -> Text:
        done = self._wanted == snapshot.orders and snapshot.attempts and not snapshot.open
        told = "All placed and told. Look around; Ctrl-C ends it." if done else "Ctrl-C ends it."
        return Text(told, style="dim")

    def _places(self) -> Text:
        width = max(map(len, self.addresses))
        return Text("\n".join(f"{name:<{width}}  {url}" for name, url in self.addresses.items()))

    def _counts(self, snapshot: Snapshot) -> Table:
        wanted = f" of {self._wanted}" if self._wanted else ""
        table = Table(box=None, show_header=False, padding=(0, 2))
        table.add_row("orders placed", f"{snapshot.orders}{wanted}")
        table.add_row("events recorded", str(snapshot.events))
        table.add_row("events published", str(snapshot.published))
        table.add_row("payments", _in_words(snapshot.payments))
        table.add_row("refunds", _in_words(snapshot.refunds))
        table.add_row("attempts", str(snapshot.attempts))
        table.add_row("limits", self.limits)
        table.add_row("throughput", f"{self._throughput(snapshot):.0f} messages/s")
        table.add_row("time", f"{self.seconds:.0f} s")
        return table

    def _deliveries(self, snapshot: Snapshot) -> Table:
        there = USUAL.union(*snapshot.deliveries.values())
        columns = [state for state in Delivery.State.values if state in there]
        table = Table(title="deliveries", title_justify="left", box=SIMPLE, padding=(0, 1, 0, 0))
        table.add_column("channel")
        for state in columns:
            table.add_column(state, justify="right")
        for channel, states in snapshot.deliveries.items():
            table.add_row(channel, *(str(states.get(state, "")) for state in columns))
        return table

    def _throughput(self, snapshot: Snapshot) -> float:
        now = time.monotonic()
        self._history.append((now, snapshot.sent))
        while len(self._history) > 2 and now - self._history[0][0] > self.WINDOW:
            self._history.pop(0)
        (then, before), (later, after) = self._history[0], self._history[-1]
        return max(0, after - before) / (later - then) if later > then else 0.0


def _in_words(states: dict[str, int]) -> str:
    """ "17 completed, 2 charging"."""
    return ", ".join(f"{count} {state}" for state, count in sorted(states.items())) or "none"
