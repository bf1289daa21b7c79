"""The rush: orders as fast as the shop takes them, with what each of them promises beside."""

from __future__ import annotations

import threading
from random import Random

from django.db import connection

from orders_site.customers.models import Customer
from orders_site.demo.manifest import Manifest
from orders_site.demo.rush import CANCELLED, SHIPPED, contact_of
from orders_site.orders.models import Order
from orders_site.orders.samples import Samples

BAD = 12
ABROAD, CURRENCY = "JP", "JPY"
"""The country whose currency the payment account does not take: that of the bad orders."""
CUSTOMERS = 200
"""Drawn for any number of orders, so that some of them live there."""


class Sale(threading.Thread):
    """Places so many orders, BAD of them in a currency that cannot be charged, somewhere among
    the others. Those stay as they are placed: who has not paid is sent nothing."""

    def __init__(self, manifest: Manifest, *, orders: int, seed: int) -> None:
        super().__init__(name="sale", daemon=True)
        self._manifest = manifest
        self._orders = orders
        self._samples = Samples(seed)
        self._bad_ones = set(Random(f"bad ones of {seed}").sample(range(orders), BAD))  # noqa: S311
        self.placed: list[int] = []
        self.bad: list[int] = []
        """The ids of those that are placed."""
        self.error: BaseException | None = None

    def run(self) -> None:
        try:
            self._place_all()
        except BaseException as error:  # noqa: BLE001 - raised by whoever waits for this thread
            self.error = error
        finally:
            connection.close()

    def _place_all(self) -> None:
        customers = self._samples.customers(CUSTOMERS)
        abroad = [customer for customer in customers if customer.country == ABROAD]
        at_home = [customer for customer in customers if customer.country != ABROAD]
        for number in range(self._orders):
            if number in self._bad_ones:
                order = self._place(self._samples.choice(abroad))
                self.bad.append(order.pk)
            else:
                self._send_on(self._place(self._samples.choice(at_home)))

    def _place(self, customer: Customer) -> Order:
        order = self._samples.place(customer)
        self._promise(order, "order.created")
        self._promise(order, "payment.completed")
        self.placed.append(order.pk)
        return order

    def _send_on(self, order: Order) -> None:
        fate = self._samples.chance()
        if fate < SHIPPED:
            self._samples.ship(order)
            self._promise(order, "order.shipped")
        elif fate < SHIPPED + CANCELLED:
            self._samples.cancel(order)
            self._manifest.withdraw(subject=f"order/{order.pk}")
            self._promise(order, "order.cancelled")

    def _promise(self, order: Order, event_type: str) -> None:
        self._manifest.add(
            subject=f"order/{order.pk}",
            event_type=event_type,
            contact=contact_of(order.customer),
        )
