"""Customers order over HTTP: what the shop's own tables hold in the end is called for."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from orders_site.demo.manifest import Call, Manifest
from tests.chaos import receipts
from tests.chaos.ground import Ground
from tests.chaos.house import cast_of, crew
from tests.chaos.scenario import Scenario
from tests.chaos.schedule import Step, plan
from tests.chaos.shoppers import Shopper, Shoppers
from tests.chaos.troubles import PAYMENTS

PER_SECOND = 14
"""Orders: about two thirds of what one machine with two cores can place, tell and kill beside."""
SHORTEST = 14.0
"""Seconds of trouble, however few orders there are."""
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
        return plan(self.seed, self.seconds, cast_of(self.members, payments=[PAYMENTS]))

    def furnish(self, ground: Ground) -> None:
        from orders_site.inventory.samples import stock_up
        from orders_site.orders.samples import Samples

        samples = Samples(self.seed)
        customers = samples.customers(max(10, min(self.size // 2, 500)))
        catalogue = samples.catalogue()
        stock_up(catalogue)
        self._cast = [
            Shopper(customer.pk, [product.pk for product in catalogue[customer.country or "GB"]])
            for customer in customers
        ]
        receipts.script(ground.sandbox, _addresses(customers), seed=self.seed)

    def begin(self, ground: Ground, *, web: str) -> None:
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
        from orders_site.demo.rush import contact_of
        from orders_site.orders.models import Order

        manifest = Manifest(path)
        for order in Order.objects.order_by("pk").prefetch_related("customer__devices"):
            subject, contact = f"order/{order.pk}", contact_of(order.customer)
            manifest.add(subject=subject, event_type="order.created", contact=contact)
            if order.shipped_at:
                manifest.add(subject=subject, event_type="order.shipped", contact=contact)
            if order.cancelled_at:
                manifest.withdraw(subject=subject)
                manifest.add(subject=subject, event_type="order.cancelled", contact=contact)
        manifest.close()
        return manifest

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


def _addresses(customers: Iterable[object]) -> Iterator[tuple[str, str]]:
    for customer in customers:
        for channel, field in (("email", "email"), ("sms", "phone"), ("whatsapp", "whatsapp")):
            if address := getattr(customer, field):
                yield channel, address
