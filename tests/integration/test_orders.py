"""Orders change by legal steps only, and every step is an event of the same transaction."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import pytest
from django.db import IntegrityError, connection, transaction
from django.dispatch import Signal

from notifications.models import Dispatch, Event
from orders_site.orders import signals
from orders_site.orders.exceptions import IllegalTransition, OrderRefused
from orders_site.orders.models import MAX_QUANTITY, Order, OrderLine
from orders_site.orders.money import MAX_AMOUNT, Money
from orders_site.orders.services import MAX_LINES, Line, cancel_order, place_order, ship_order
from tests.shop import a_customer, a_product, an_order

pytestmark = pytest.mark.django_db


def ship(order: Order) -> Order:
    return ship_order(order=order, tracking_code="JJD0001", carrier="DHL")


def events_of(order: Order) -> list[tuple[str, dict[str, Any]]]:
    rows = Event.objects.filter(subject=f"order/{order.pk}").order_by("time")
    return [(row.type, row.data) for row in rows]


@contextmanager
def receiver(signal: Signal, function: Callable[..., None]) -> Iterator[None]:
    signal.connect(function, weak=False)
    try:
        yield
    finally:
        signal.disconnect(function)


def test_an_order_keeps_the_names_and_prices_of_its_day() -> None:
    mug, tea = a_product(price_minor=2495), a_product(name="Tea", price_minor=1500)
    order = place_order(customer=a_customer(), lines=[Line(mug, 2), Line(tea)])
    mug.price_minor, mug.name = 1, "Cup"
    mug.save()

    order = Order.objects.get(pk=order.pk)
    assert order.state == Order.State.PLACED
    assert order.total == Money("EUR", 6490)
    assert [
        (line.name, line.quantity, line.total.amount) for line in order.lines.order_by("pk")
    ] == [
        ("Mug “Salt & Pine”", 2, 4990),
        ("Tea", 1, 1500),
    ]


def test_an_order_its_lines_and_its_event_take_three_inserts(
    django_assert_num_queries: Any,
) -> None:
    customer, lines = a_customer(), [Line(a_product()) for _ in range(5)]
    savepoint_and_its_release = 2
    with django_assert_num_queries(3 + savepoint_and_its_release):
        place_order(customer=customer, lines=lines)


@pytest.mark.parametrize("quantity", [0, -1, MAX_QUANTITY + 1, True])
def test_a_line_of_an_impossible_quantity_is_refused(quantity: int) -> None:
    with pytest.raises(OrderRefused, match="quantity: "):
        Line(a_product(), quantity)


def test_impossible_orders_are_refused_and_leave_nothing() -> None:
    customer, mug = a_customer(), a_product()
    impossible = {
        "an order has 1 to 100, this one 0": [],
        "an order has 1 to 100, this one 101": [Line(mug)] * (MAX_LINES + 1),
        "cannot add JPY to EUR": [Line(mug), Line(a_product(currency="JPY"))],
        "amount: must be 0 to": [Line(a_product(price_minor=MAX_AMOUNT), 2)],
    }
    for message, lines in impossible.items():
        with pytest.raises(OrderRefused, match=message):
            place_order(customer=customer, lines=lines)
    assert not Order.objects.exists()
    assert not Event.objects.exists()


def test_the_database_too_refuses_what_is_out_of_bounds() -> None:
    order = an_order()
    for row in (order, a_product(), order.lines.get()):
        field = next(name for name in vars(row) if name.endswith("_minor"))
        with pytest.raises(IntegrityError), transaction.atomic():
            type(row).objects.filter(pk=row.pk).update(**{field: -1})
    with pytest.raises(IntegrityError), transaction.atomic():
        OrderLine.objects.update(quantity=0)


def test_each_step_records_its_event_with_ids_and_facts_only() -> None:
    order = an_order()
    ship(order)
    cancel_order(order=order, reason="lost_in_transit")
    ids = {"order_id": order.pk, "customer_id": order.customer_id}
    assert events_of(order) == [
        ("order.created", {**ids, "total_minor": 4990, "currency": "EUR"}),
        ("order.shipped", {**ids, "carrier": "DHL"}),
        ("order.cancelled", {**ids, "reason": "lost_in_transit"}),
    ]
    dispatches = Dispatch.objects.filter(subject=f"order/{order.pk}")
    assert {(d.kind, d.destination) for d in dispatches} == {("topic", "order-events")}
    assert len(dispatches) == 3


def test_the_callers_copy_reads_as_the_row_does() -> None:
    order = an_order()
    ship(order)
    cancel_order(order=order, reason="returned_to_sender")
    kept = Order.objects.get(pk=order.pk)
    for field in (
        "state",
        "carrier",
        "tracking_code",
        "shipped_at",
        "cancel_reason",
        "cancelled_at",
    ):
        assert getattr(order, field) == getattr(kept, field), field


def test_what_was_shipped_cannot_be_shipped_again_nor_called_off() -> None:
    order = ship(an_order())
    with pytest.raises(IllegalTransition, match="is shipped and cannot be shipped"):
        ship(order)
    with pytest.raises(IllegalTransition) as refusal:
        cancel_order(order=order, reason="customer_request")
    assert refusal.value.state == "shipped"
    assert refusal.value.allowed == (
        "cancelled (lost_in_transit)",
        "cancelled (returned_to_sender)",
    )
    assert [kind for kind, _ in events_of(order)] == ["order.created", "order.shipped"]


def test_a_parcel_that_never_left_cannot_be_lost() -> None:
    with pytest.raises(IllegalTransition, match="is placed and cannot be cancelled"):
        cancel_order(order=an_order(), reason="lost_in_transit")


def test_a_cancelled_order_stays_cancelled() -> None:
    order = cancel_order(order=an_order(), reason="out_of_stock")
    with pytest.raises(IllegalTransition, match="that is final"):
        ship(order)
    with pytest.raises(IllegalTransition, match="that is final"):
        cancel_order(order=order, reason="out_of_stock")


def test_a_stale_copy_decides_nothing() -> None:
    order = an_order()
    stale = Order.objects.get(pk=order.pk)
    cancel_order(order=order, reason="customer_request")
    with pytest.raises(IllegalTransition, match="is cancelled"):
        ship(stale)


@pytest.mark.parametrize("code", ["", "   ", "x" * 65, "a\nb"])
def test_a_shipment_needs_a_readable_tracking_code(code: str) -> None:
    with pytest.raises(OrderRefused, match="tracking_code: must be 1 to 64"):
        ship_order(order=an_order(), tracking_code=code, carrier="DHL")


def test_an_unknown_reason_is_refused_with_those_there_are() -> None:
    with pytest.raises(OrderRefused, match="reason: 'whim' is not one of customer_request"):
        cancel_order(order=an_order(), reason="whim")


def test_a_rollback_leaves_neither_order_nor_event() -> None:
    with transaction.atomic():
        an_order()
        transaction.set_rollback(True)
    assert not Order.objects.exists()
    assert not Event.objects.exists()
    assert not Dispatch.objects.exists()


@pytest.mark.parametrize(
    ("signal", "act"),
    [
        (signals.order_created, lambda order: an_order(customer=order.customer)),
        (signals.order_shipped, ship),
        (signals.order_cancelled, lambda order: cancel_order(order=order, reason="out_of_stock")),
    ],
    ids=["place", "ship", "cancel"],
)
def test_a_receiver_that_fails_fails_the_step(
    signal: Signal, act: Callable[[Order], object]
) -> None:
    def fail(**_: object) -> None:
        raise RuntimeError("the receiver is broken")

    order = an_order()
    before = events_of(order)
    with receiver(signal, fail), pytest.raises(RuntimeError, match="broken"):
        act(order)
    assert Order.objects.get().state == Order.State.PLACED
    assert events_of(order) == before
    assert Event.objects.count() == len(before)


@pytest.mark.django_db(transaction=True)
def test_of_shipping_and_cancelling_at_once_exactly_one_wins() -> None:
    for _ in range(10):
        order = an_order()
        together = threading.Barrier(4)

        def attempt(
            verb: Callable[[Order], object],
            pk: int = order.pk,
            together: threading.Barrier = together,
        ) -> bool:
            try:
                copy = Order.objects.get(pk=pk)
                together.wait(timeout=10)
                verb(copy)
            except IllegalTransition:
                return False
            else:
                return True
            finally:
                connection.close()

        def cancel(copy: Order) -> object:
            return cancel_order(order=copy, reason="customer_request")

        with ThreadPoolExecutor(4) as threads:
            won = list(threads.map(attempt, [ship, cancel, ship, cancel]))

        assert won.count(True) == 1
        assert len(events_of(order)) == 2
        assert events_of(order)[1][0] == f"order.{Order.objects.get(pk=order.pk).state}"
