"""The services' side of a run: what was charged and given back, taken from stock, and recorded."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

from django.db.models import Exists, OuterRef

from notifications.local.providers.client import SandboxClient
from notifications.models import Event, Handled
from orders_site.analytics.models import RecordedEvent
from orders_site.demo import books
from orders_site.demo.balance import Balance, balance
from orders_site.demo.shelf import astray
from orders_site.payments.models import Payment
from tests.chaos.scenario import SERVICES

Letter = tuple[str, str, str]
"""(event type, subject, consumer) of a dead letter."""


@dataclass(frozen=True)
class Books:
    """money: by the payment provider's ledger. declined: orders whose card was. stock_off, and
    unrecorded of the events, must be empty; wrong is what else is, in words."""

    money: Balance
    declined: int
    stock_off: Sequence[str]
    events: int
    unrecorded: Sequence[str]
    wrong: Sequence[str]

    @property
    def complaints(self) -> Iterator[str]:
        """Whatever is not as it must be."""
        for order in self.money.uncharged:
            yield f"order {order} was never charged"
        for order in self.money.charged_twice:
            yield f"order {order} was charged twice"
        yield from self.money.off
        yield from self.stock_off
        for event in self.unrecorded:
            yield f"analytics has not recorded {event}"
        yield from self.wrong

    @property
    def as_json(self) -> dict[str, int]:
        return {
            "charged": self.money.charged,
            "charged_twice": len(self.money.charged_twice),
            "uncharged": len(self.money.uncharged),
            "money_off": len(self.money.off),
            "stock_off": len(self.stock_off),
            "unrecorded": len(self.unrecorded),
        }

    def __str__(self) -> str:
        money = self.money
        return (
            f"{money.charged:,} orders charged, {self.declined:,} declined, "
            f"{len(money.uncharged)} left out, {len(money.charged_twice)} charged twice, "
            f"{len(money.off)} amounts off; {len(self.stock_off)} SKUs off; "
            f"{self.events:,} events, {len(self.unrecorded)} not recorded"
        )


def audit(
    sandbox: SandboxClient, *, stocked: Mapping[str, int], buried: Collection[Letter]
) -> Books:
    """Once all is drained. stocked: pieces by SKU before anybody ordered. An order that is among
    the dead letters of payments is excused: somebody was told."""
    charges = sandbox.charges()
    excused = {
        int(subject.partition("/")[2])
        for _, subject, consumer in buried
        if consumer == "payments" and subject
    }
    recorded = RecordedEvent.objects.filter(event_id=OuterRef("pk"))
    missing = [
        event
        for event in Event.objects.filter(~Exists(recorded))
        if (event.type, event.subject, "analytics") not in buried
    ]
    return Books(
        money=balance(books.sales(charges, excused=excused), books.takings(charges)),
        declined=sum(charge.status == "declined" for charge in charges),
        stock_off=list(astray(stocked, books.on_hand(), books.parcels())),
        events=Event.objects.count(),
        unrecorded=[str(event) for event in missing],
        wrong=[*_unsettled(excused), *_not_done(buried)],
    )


def _unsettled(excused: Collection[int]) -> Iterator[str]:
    """Payments of which the shop does not know what became of them."""
    states = [Payment.State.EXPECTED, Payment.State.CHARGING]
    for payment in Payment.objects.filter(state__in=states).exclude(order__in=excused):
        yield f"{payment} is still {payment.get_state_display()}"


def _not_done(buried: Collection[Letter]) -> Iterator[str]:
    """Events that a service was to do, and has neither done nor given up on in the open."""
    for service in SERVICES:
        done = Handled.objects.filter(
            event_id=OuterRef("pk"), consumer=service, outcome=Handled.Outcome.DONE
        )
        for event in Event.objects.filter(~Exists(done), expected__contains=[service]):
            if (event.type, event.subject, service) not in buried:
                yield f"{service} has not done {event}"
