"""Whatever happens to orders, and in whatever order it is heard of, stock is what was taken and
given back, never less than nothing, and said to be low once for each fall."""

from __future__ import annotations

from collections import Counter
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from notifications.models import Event
from orders_site.inventory.exceptions import StockRefused
from orders_site.inventory.models import Reservation, ReservationLine, StockItem
from orders_site.inventory.services import correct_stock, release_stock, reserve_stock
from orders_site.orders.exceptions import IllegalTransition
from orders_site.orders.models import Order
from orders_site.orders.services import cancel_order, ship_order
from tests.shop import a_customer
from tests.stock import in_stock, order_of

AT_FIRST, THRESHOLD = 6, 4
VERBS = {"created": reserve_stock, "cancelled": release_stock}

which = st.integers(0, 5)
a_wish = st.tuples(st.integers(0, 1), st.integers(1, 4))
to_hear = st.tuples(st.just("hear"), st.integers(0, 9))
a_step = st.one_of(
    st.tuples(st.just("place"), st.lists(a_wish, min_size=1, max_size=3)),
    st.tuples(st.just("ship"), which),
    st.tuples(st.just("cancel"), which, st.sampled_from(Order.CancelReason.values)),
    st.tuples(st.just("correct"), st.integers(0, 1), st.integers(-4, 4)),
    to_hear,
    to_hear,
    to_hear,
)
"""Half of what happens is that something is heard of, so that most of it is, and some twice."""


class Inventory:
    """Two products; what happens to orders, and apart from that, when the inventory hears of it."""

    def __init__(self) -> None:
        self.customer = a_customer()
        self.items = [in_stock(AT_FIRST, threshold=THRESHOLD) for _ in range(2)]
        self.should_be = {item.pk: AT_FIRST for item in self.items}  # without what is reserved
        self.stood = dict(self.should_be)
        self.falls: Counter[str] = Counter()
        self.orders: list[int] = []
        self.messages: list[tuple[int, str]] = []
        self.unheard: set[tuple[int, str]] = set()

    def place(self, wishes: list[tuple[int, int]]) -> None:
        order = order_of(
            *((self.items[which], quantity) for which, quantity in wishes), customer=self.customer
        )
        self.orders.append(order.pk)
        self._say(order.pk, "created")

    def ship(self, which: int) -> None:
        if self.orders:
            with suppress(IllegalTransition):
                ship_order(order=self._order(which), tracking_code="JJD0001", carrier="DHL")

    def cancel(self, which: int, reason: str) -> None:
        if self.orders:
            with suppress(IllegalTransition):
                order = cancel_order(order=self._order(which), reason=reason)
                self._say(order.pk, "cancelled")

    def correct(self, which: int, by: int) -> None:
        with suppress(StockRefused):
            correct_stock(item=self.items[which], by=by)
            self.should_be[self.items[which].pk] += by

    def hear(self, which: int) -> None:
        """Of any of all that was said, heard before or not."""
        if self.messages:
            self._hear(self.messages[which % len(self.messages)])

    def nothing_is_made_or_lost(self) -> None:
        taken = Counter()
        reserved = ReservationLine.objects.filter(reservation__state=Reservation.State.RESERVED)
        for item, quantity in reserved.values_list("item", "quantity"):
            taken[item] += quantity
        for item in self._rows():
            assert item.on_hand == self.should_be[item.pk] - taken[item.pk] >= 0

    def it_is_low_while_it_is_below_and_that_was_said_once_for_each_fall(self) -> None:
        for item in self._rows():
            sku = item.product.sku
            if item.on_hand < THRESHOLD <= self.stood[item.pk]:
                self.falls[sku] += 1
            self.stood[item.pk] = item.on_hand
            assert (item.low_since is not None) == (item.on_hand < THRESHOLD)
            said = Event.objects.filter(type="stock.low", subject=f"sku/{sku}").count()
            assert said == self.falls[sku]

    def hear_the_rest(self) -> None:
        """The latest first; and then all of it once more."""
        for message in (*sorted(self.unheard, reverse=True), *self.messages):
            self._hear(message)
            self.nothing_is_made_or_lost()

    def each_order_has_what_it_is_due(self) -> None:
        states = dict(Reservation.objects.values_list("order", "state"))
        for order in Order.objects.filter(pk__in=self.orders):
            gone = order.cancel_reason == Order.CancelReason.LOST_IN_TRANSIT
            over = order.state == Order.State.CANCELLED and not gone
            assert (states[order.pk] == Reservation.State.RELEASED) == over
            said = Event.objects.filter(type="order.unfulfillable", subject=f"order/{order.pk}")
            assert said.count() <= 1

    def _say(self, order: int, what: str) -> None:
        self.messages.append((order, what))
        self.unheard.add((order, what))

    def _hear(self, message: tuple[int, str]) -> None:
        order, what = message
        VERBS[what](order=Order.objects.get(pk=order))
        self.unheard.discard(message)

    def _order(self, which: int) -> Order:
        return Order.objects.get(pk=self.orders[which % len(self.orders)])

    def _rows(self) -> Any:
        return StockItem.objects.filter(pk__in=self.should_be).select_related("product")


@pytest.mark.django_db
@settings(
    max_examples=30,
    deadline=None,
    derandomize=True,
    database=None,
    phases=[Phase.generate],  # to shorten what fails takes minutes
    suppress_health_check=list(HealthCheck),
)
@given(steps=st.lists(a_step, min_size=20, max_size=30))
def test_stock_is_right_after_any_sequence_however_it_is_heard_of(steps: list[Any]) -> None:
    inventory = Inventory()
    for verb, *how in steps:
        getattr(inventory, verb)(*how)
        inventory.nothing_is_made_or_lost()
        inventory.it_is_low_while_it_is_below_and_that_was_said_once_for_each_fall()
    inventory.hear_the_rest()
    inventory.each_order_has_what_it_is_due()
