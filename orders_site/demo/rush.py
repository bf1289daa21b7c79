"""The rush of orders, and beside it the manifest of what each of them promises."""

from __future__ import annotations

import threading
from random import Random

from django.db import connection

from orders_site.customers.models import Customer
from orders_site.demo.manifest import Contact, Manifest
from orders_site.orders import samples
from orders_site.orders.models import Order
from orders_site.orders.services import cancel_order, ship_order

SHIPPED, CANCELLED = 0.6, 0.1
"""The shares of orders that are shipped, and that are cancelled, right after they were placed."""


class Rush(threading.Thread):
    """Places `orders` orders, `per_second` at most (None: as fast as the database takes them)."""

    def __init__(
        self, manifest: Manifest, *, orders: int, per_second: float | None, seed: int | None
    ) -> None:
        super().__init__(name="rush", daemon=True)
        self._manifest = manifest
        self._orders = orders
        self._per_second = per_second
        self._random = Random(seed)  # noqa: S311 - believable, not secret
        self._stop_asked = threading.Event()
        self.placed = 0
        self.error: BaseException | None = None

    def run(self) -> None:
        try:
            self._place_all()
        except BaseException as error:  # noqa: BLE001 - shown by whoever waits for this thread
            self.error = error
        finally:
            connection.close()

    def stop(self) -> None:
        self._stop_asked.set()
        self.join()

    def _place_all(self) -> None:
        shop = samples.Sampler(self._random)
        pause = 1 / self._per_second if self._per_second else 0
        for _ in range(self._orders):
            self._one_order(shop)
            self.placed += 1
            if self._stop_asked.wait(pause):
                return

    def _one_order(self, shop: samples.Sampler) -> None:
        order = shop.order()
        contact = contact_of(order.customer)
        self._promise(order, "order.created", contact)
        fate = self._random.random()
        if fate < SHIPPED:
            ship_order(order=order, **shop.shipment(order))
            self._promise(order, "order.shipped", contact)
        elif fate < SHIPPED + CANCELLED:
            cancel_order(order=order, reason=Order.CancelReason.CUSTOMER)
            self._manifest.withdraw(subject=f"order/{order.pk}")
            self._promise(order, "order.cancelled", contact)

    def _promise(self, order: Order, event_type: str, contact: Contact) -> None:
        self._manifest.add(subject=f"order/{order.pk}", event_type=event_type, contact=contact)


def contact_of(customer: Customer) -> Contact:
    """How this customer can be reached, read from the customer and from nothing of ours."""
    return Contact(
        {
            "email": (customer.email,) if customer.email_consent else (),
            "sms": (customer.phone,) if customer.sms_consent and customer.phone else (),
            "whatsapp": (customer.whatsapp,)
            if customer.whatsapp_consent and customer.whatsapp
            else (),
            "push": tuple(customer.devices.values_list("token", flat=True))
            if customer.push_consent
            else (),
        }
    )
