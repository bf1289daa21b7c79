"""Many at once, on a real PostgreSQL: no piece is promised twice, and nobody waits for ever."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from functools import partial
from itertools import permutations

import pytest

from notifications.envelope import Envelope
from orders_site.inventory.consumers import move_stock
from orders_site.inventory.models import Reservation, StockItem
from orders_site.inventory.services import correct_stock, release_stock, reserve_stock
from orders_site.orders.models import Order
from orders_site.orders.services import cancel_order
from tests.integration.together import all_at_once, at_once
from tests.shop import a_customer
from tests.stock import event_of, in_stock, on_hand, order_of, told

pytestmark = pytest.mark.django_db(transaction=True)

WORKERS = 10


def work_off(events: list[Envelope]) -> list[Callable[[], None]]:
    """What so many workers do that share these messages, the first with the first."""

    def run(share: list[Envelope]) -> None:
        for event in share:
            move_stock(event)

    return [partial(run, events[number::WORKERS]) for number in range(WORKERS)]


def states() -> Counter[str]:
    return Counter(Reservation.objects.values_list("state", flat=True))


@pytest.mark.S2
def test_of_fifty_orders_at_once_for_the_last_ten_pieces_ten_have_one() -> None:
    mug = in_stock(10, threshold=5)
    customer = a_customer()
    events = [event_of(order_of((mug, 1), customer=customer)) for _ in range(50)]

    all_at_once(work_off(events))

    assert on_hand(mug) == 0
    assert states() == {"reserved": 10, "short": 40}
    assert len(told("order.unfulfillable")) == 40
    assert told("stock.low") == [{"sku": mug.product.sku, "on_hand": 4, "threshold": 5}]


def test_orders_that_name_the_same_things_in_any_order_do_not_wait_for_each_other() -> None:
    things = [in_stock(40) for _ in range(3)]
    customer = a_customer()
    ways = list(permutations(things)) * 5
    orders = [order_of(*((item, 1) for item in way), customer=customer) for way in ways]
    for order in orders[::3]:
        cancel_order(order=order, reason="customer_request")
    events = [event_of(order) for order in orders]
    events += [event_of(order, "order.cancelled") for order in orders[::3]]

    all_at_once(work_off(events + events[::2]))

    assert [on_hand(item) for item in things] == [20, 20, 20]
    assert states() == {"reserved": 20, "released": 10}


@pytest.mark.S2
def test_two_consumers_of_one_event_take_its_pieces_once() -> None:
    mug = in_stock(10)
    event = event_of(order_of((mug, 3)))

    at_once(lambda: move_stock(event), 8)

    assert on_hand(mug) == 7
    assert states() == {"reserved": 1}


def test_a_cancellation_at_the_same_moment_leaves_nothing_taken() -> None:
    mug = in_stock(100)
    customer = a_customer()
    for _ in range(8):
        as_placed = order_of((mug, 2), customer=customer)
        as_cancelled = Order.objects.get(pk=as_placed.pk)
        cancel_order(order=as_cancelled, reason="customer_request")
        all_at_once(
            [
                partial(reserve_stock, order=as_placed),  # read before it was cancelled
                partial(release_stock, order=as_cancelled),
            ]
        )

    assert on_hand(mug) == 100
    assert states() == {"released": 8}


def test_a_correction_undoes_no_order_that_takes_meanwhile() -> None:
    mug = in_stock(20)
    customer = a_customer()
    events = [event_of(order_of((mug, 1), customer=customer)) for _ in range(10)]

    def correct() -> None:
        for _ in range(5):
            correct_stock(item=mug, by=1)

    all_at_once([*work_off(events), correct])

    assert StockItem.objects.get().on_hand == 20 + 5 - 10
