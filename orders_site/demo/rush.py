"""The rush of orders, and beside it the manifest of what each of them promises."""

from __future__ import annotations

import threading

from django.db import connection

from orders_site.customers.models import Customer
from orders_site.demo.manifest import Contact, Manifest
from orders_site.demo.till import Till
from orders_site.inventory.samples import stock_up
from orders_site.orders.models import Order
from orders_site.orders.samples import Samples

SHIPPED, CANCELLED = 0.6, 0.1
"""The shares of orders that are shipped, and that are cancelled, right after they were placed."""
REFUNDED = 0.15
"""The share of orders, of those that are shipped, of which something is refunded then."""

MOST_CUSTOMERS = 500


class Rush(threading.Thread):
    """Places `orders` orders, `per_second` at most (None: as fast as the database takes them)."""

    def __init__(
        self, manifest: Manifest, till: Till, *, orders: int, per_second: float | None, seed: int
    ) -> None:
        super().__init__(name="rush", daemon=True)
        self._manifest = manifest
        self._till = till
        self._orders = orders
        self._per_second = per_second
        self._samples = Samples(seed)
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
        stock_up(self._samples.catalogue())
        customers = self._samples.customers(max(10, min(self._orders, MOST_CUSTOMERS)))
        pause = 1 / self._per_second if self._per_second else 0
        for _ in range(self._orders):
            self._one_order(self._samples.choice(customers))
            self.placed += 1
            if self._stop_asked.wait(pause):
                return

    def _one_order(self, customer: Customer) -> None:
        order, contact = self._samples.place(customer), contact_of(customer)
        subject = f"order/{order.pk}"
        self._till.sell(subject, order.total_minor)
        self._promise(order, "order.created", contact)
        self._promise(order, "payment.completed", contact)
        fate = self._samples.chance()
        if fate < SHIPPED:
            self._samples.ship(order)
            self._promise(order, "order.shipped", contact)
            if fate < REFUNDED:
                refund = self._samples.refund(order)
                self._till.give_back(subject, refund.amount_minor)
                self._promise(order, "order.refunded", contact)
        elif fate < SHIPPED + CANCELLED:
            self._samples.cancel(order)
            self._till.call_off(subject)
            self._manifest.withdraw(subject=subject)
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
            "push": tuple(device.token for device in customer.devices.all())
            if customer.push_consent
            else (),
        }
    )
