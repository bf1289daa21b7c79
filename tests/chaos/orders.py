"""Customers order over HTTP: what the shop's own tables hold in the end is called for."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from orders_site.demo.manifest import Call, Manifest
from tests.chaos import receipts
from tests.chaos.ground import Ground
from tests.chaos.house import cast_of, crew
from tests.chaos.scenario import Scenario
from tests.chaos.schedule import Step, plan
from tests.chaos.shoppers import Shopper, Shoppers

if TYPE_CHECKING:
    from orders_site.orders.models import Order

PER_SECOND = 7
"""Orders: about two thirds of what one machine with two cores can place, charge, tell and record,
and kill beside."""
SHORTEST = 14.0
"""Seconds of trouble, however few orders there are."""
SCARCE = 100
"""Orders for each piece of what is scarce."""
SMALL = 300
"""Orders, below which there are fewer processes: each costs two seconds of CPU at every start."""


class Orders(Scenario):
    settings = "tests.chaos.shop.settings"
    _shoppers: Shoppers

    @property
    def title(self) -> str:
        return f"{self.size} orders, seed {self.seed}"

    @property
    def members(self) -> Mapping[str, Sequence[str | Path]]:
        return crew(small=self.size < SMALL)

    @property
    def seconds(self) -> float:
        return max(SHORTEST, self.size / PER_SECOND)

    def plan(self) -> tuple[Step, ...]:
        return plan(self.seed, self.seconds, cast_of(self.members, pays=True))

    def furnish(self, ground: Ground) -> None:
        from orders_site.inventory.samples import stock_up
        from orders_site.orders.samples import Samples

        samples = Samples(self.seed)
        customers = samples.customers(max(10, min(self.size // 2, 500)))
        catalogue = samples.catalogue()
        stock_up(catalogue)
        self._stocked = _let_some_run_short(self.size)
        self._cast = [
            Shopper(customer.pk, [product.pk for product in catalogue[customer.country or "GB"]])
            for customer in customers
        ]
        receipts.script(ground.sandbox, _addresses(customers), seed=self.seed)

    def begin(self, ground: Ground, *, web: str) -> None:
        self._sandbox = ground.sandbox
        self._shoppers = Shoppers(
            web, self._cast, orders=self.size, seconds=self.seconds, seed=self.seed
        )
        self._shoppers.start()

    @property
    def done(self) -> bool:
        return self._shoppers.done

    def close(self) -> None:
        self._shoppers.stop()

    def called_for(self, path: Path) -> Manifest:
        from orders_site.demo.books import order_of
        from orders_site.demo.rush import contact_of
        from orders_site.orders.models import Order

        manifest = Manifest(path)
        answers = {order_of(charge): charge.status for charge in self._sandbox.charges()}
        for order in Order.objects.order_by("pk").prefetch_related("customer__devices"):
            subject, contact = f"order/{order.pk}", contact_of(order.customer)
            answer = answers.get(order.pk, "")
            if order.refunded_minor:
                manifest.add(subject=subject, event_type="order.refunded", contact=contact)
                if answer == "declined":  # told before the decline was known, or not at all
                    manifest.withdraw(subject=subject)
            for event_type in _told_of(order, answer):
                manifest.add(subject=subject, event_type=event_type, contact=contact)
            if order.cancelled_at:
                manifest.withdraw(subject=subject)
                manifest.add(subject=subject, event_type="order.cancelled", contact=contact)
        manifest.close()
        return manifest

    def stocked(self) -> Mapping[str, int]:
        return self._stocked

    def silent(self, call: Call) -> bool:
        return receipts.withheld(call, seed=self.seed)

    def complaints(self, ground: Ground) -> Sequence[str]:
        """What the shop said it had done, and has not."""
        from orders_site.orders.models import Order

        orders = Order.objects.in_bulk()
        kept = {
            "placed": "placed_at",
            "ship": "shipped_at",
            "cancel": "cancelled_at",
            "refund": "refunded_minor",
        }
        return [
            f"order {order}: {verb} was said to be done, and is not"
            for verb, order in self._shoppers.acknowledged
            if order not in orders or not getattr(orders[order], kept[verb])
        ]


def _told_of(order: Order, answer: str) -> Iterator[str]:
    """What happened to it, but that it was refunded or cancelled. answer: the payment provider's,
    if any."""
    yield "order.created"
    if answer:
        yield "payment.completed" if answer == "succeeded" else "payment.failed"
    if order.shipped_at:
        yield "order.shipped"


def _let_some_run_short(orders: int) -> Mapping[str, int]:
    """Of every third product too little for everybody; all there is, by SKU."""
    from orders_site.demo.books import on_hand
    from orders_site.inventory.models import StockItem

    scarce = [item.pk for item in StockItem.objects.order_by("pk")][::3]
    StockItem.objects.filter(pk__in=scarce).update(on_hand=1 + orders // SCARCE)
    return on_hand()


def _addresses(customers: Iterable[object]) -> Iterator[tuple[str, str]]:
    for customer in customers:
        for channel, field in (("email", "email"), ("sms", "phone"), ("whatsapp", "whatsapp")):
            if address := getattr(customer, field):
                yield channel, address
