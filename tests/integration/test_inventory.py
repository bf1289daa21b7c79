"""Stock is taken once for an order, all or nothing, and given back exactly."""

from __future__ import annotations

from dataclasses import replace

import pytest
from django.db import IntegrityError, transaction

from notifications.exceptions import PermanentError
from notifications.models import Handled
from orders_site.inventory.consumers import move_stock
from orders_site.inventory.exceptions import StockRefused
from orders_site.inventory.models import Reservation, ReservationLine, StockItem
from orders_site.inventory.services import correct_stock, stock_product
from orders_site.orders.services import Line, cancel_order, ship_order
from tests.integration.letters import letter
from tests.shop import a_product, an_order
from tests.stock import cancelled, event_of, in_stock, on_hand, order_of, placed, told

pytestmark = pytest.mark.django_db


def reservation_of(order):
    return Reservation.objects.get(order=order)


def test_an_order_takes_what_its_lines_ask_for() -> None:
    mug, plate = in_stock(10), in_stock(5)
    order = order_of((mug, 2), (plate, 5))

    placed(order)

    assert (on_hand(mug), on_hand(plate)) == (8, 0)
    reservation = reservation_of(order)
    assert reservation.state == "reserved"
    assert dict(reservation.lines.values_list("item", "quantity")) == {mug.pk: 2, plate.pk: 5}
    assert Handled.objects.get(consumer="inventory").outcome == Handled.Outcome.DONE


def test_the_same_product_on_several_lines_is_added_up() -> None:
    mug = in_stock(10)
    fits, does_not = order_of((mug, 2), (mug, 3)), order_of((mug, 3), (mug, 3))

    placed(fits)
    placed(does_not)

    assert on_hand(mug) == 5
    assert ReservationLine.objects.get().quantity == 5
    assert reservation_of(does_not).state == "short"


@pytest.mark.S2
def test_where_one_is_short_nothing_is_taken_and_the_shop_is_told_of_which() -> None:
    mug, plate, bowl = in_stock(10), in_stock(1), in_stock(0)
    order = order_of((plate, 2), (mug, 1), (bowl, 1))

    placed(order)

    assert (on_hand(mug), on_hand(plate)) == (10, 1)
    assert reservation_of(order).state == "short"
    short = sorted([plate.product.sku, bowl.product.sku])
    assert told("order.unfulfillable") == [{"order_id": order.pk, "skus": short}]
    assert not ReservationLine.objects.exists()


def test_a_product_without_stock_is_made_to_order() -> None:
    mug = in_stock(3)
    order = an_order(lines=[Line(mug.product), Line(a_product(), quantity=99)])

    placed(order)

    assert reservation_of(order).state == "reserved"
    assert on_hand(mug) == 2


def test_a_message_that_comes_again_takes_nothing_more() -> None:
    mug = in_stock(10)
    order = order_of((mug, 2))
    event = event_of(order)

    move_stock(event)
    move_stock(event)
    move_stock(replace(event, id=letter().id))  # another publisher says the same

    assert on_hand(mug) == 8
    assert Reservation.objects.count() == 1


@pytest.mark.S2
def test_a_cancelled_order_gives_back_exactly_what_it_took() -> None:
    mug, plate = in_stock(10), in_stock(5)
    order = order_of((mug, 2), (plate, 5))
    placed(order)
    order.lines.update(quantity=7)

    cancel_order(order=order, reason="customer_request")
    cancelled(order)
    cancelled(order)

    assert (on_hand(mug), on_hand(plate)) == (10, 5)
    assert reservation_of(order).state == "released"


@pytest.mark.S2
def test_after_a_cancellation_that_overtook_it_nothing_is_taken() -> None:
    mug = in_stock(10)
    order = order_of((mug, 2))
    cancel_order(order=order, reason="customer_request")

    cancelled(order)
    assert reservation_of(order).state == "released"
    placed(order)

    assert on_hand(mug) == 10
    assert reservation_of(order).state == "released"


def test_the_cancellation_of_a_short_order_gives_nothing_back() -> None:
    mug = in_stock(1)
    order = order_of((mug, 2))
    placed(order)
    cancel_order(order=order, reason="out_of_stock")

    cancelled(order)

    assert on_hand(mug) == 1
    assert reservation_of(order).state == "released"


@pytest.mark.parametrize(("reason", "left"), [("lost_in_transit", 8), ("returned_to_sender", 10)])
@pytest.mark.parametrize("overtaken", [False, True])
def test_a_lost_parcel_brings_nothing_back_and_a_returned_one_everything(
    reason: str, left: int, *, overtaken: bool
) -> None:
    mug = in_stock(10)
    order = order_of((mug, 2))
    ship_order(order=order, tracking_code="JJD0001", carrier="DHL")
    cancel_order(order=order, reason=reason)

    for tell in (cancelled, placed) if overtaken else (placed, cancelled):
        tell(order)

    assert on_hand(mug) == left


@pytest.mark.S2
def test_low_stock_is_told_once_for_each_crossing() -> None:
    mug = in_stock(10, threshold=8)
    orders = [order_of((mug, 2)) for _ in range(3)]

    placed(orders[0])
    assert told("stock.low") == []  # 8 are left: at the threshold is not below it
    placed(orders[1])
    placed(orders[2])
    low = {"sku": mug.product.sku, "on_hand": 6, "threshold": 8}
    assert told("stock.low") == [low]

    correct_stock(item=mug, by=3)  # 7: still below
    cancel_order(order=orders[0], reason="customer_request")
    cancelled(orders[0])  # 9: over it
    assert StockItem.objects.get(pk=mug.pk).low_since is None
    placed(order_of((mug, 5)))
    assert told("stock.low") == [low, {**low, "on_hand": 4}]


def test_a_threshold_that_is_raised_over_what_there_is_is_a_crossing_too() -> None:
    mug = in_stock(10)

    correct_stock(item=mug, reorder_threshold=20)
    correct_stock(item=mug, reorder_threshold=30)

    assert told("stock.low") == [{"sku": mug.product.sku, "on_hand": 10, "threshold": 20}]


def test_what_is_impossible_is_refused_with_the_bound() -> None:
    mug = in_stock(3)
    with pytest.raises(StockRefused, match=r"on_hand: -1 pieces; must be 0 to"):
        correct_stock(item=mug, by=-4)
    with pytest.raises(StockRefused, match="reorder_threshold: -1 pieces"):
        correct_stock(item=mug, reorder_threshold=-1)
    with pytest.raises(StockRefused, match="on_hand: True pieces"):
        stock_product(product=a_product(), on_hand=True)
    assert on_hand(mug) == 3


def test_the_database_too_refuses_less_than_nothing() -> None:
    mug = in_stock(3)
    with pytest.raises(IntegrityError), transaction.atomic():
        StockItem.objects.filter(pk=mug.pk).update(on_hand=-1)


def test_an_order_that_nobody_knows_is_a_dead_letter() -> None:
    with pytest.raises(PermanentError, match="order_id: there is no order 7"):
        move_stock(letter())
    assert not Handled.objects.exists()
