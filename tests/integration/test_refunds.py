"""The shop owes back what it says, and never more than the order cost."""

from __future__ import annotations

import pytest
from django.db import IntegrityError, transaction

from notifications.models import Event
from orders_site.orders.exceptions import IllegalTransition, OrderRefused
from orders_site.orders.models import Order, Refund
from orders_site.orders.money import Money
from orders_site.orders.services import cancel_order, refund_order
from tests.integration.together import at_once
from tests.shop import an_order

pytestmark = pytest.mark.django_db


def euros(cents: int) -> Money:
    return Money("EUR", cents)


def test_a_part_and_then_the_rest_are_refunded_each_with_its_event() -> None:
    order = an_order()

    part = refund_order(order=order, amount=euros(1000), reason="damaged")
    rest = refund_order(order=order, reason="goodwill")

    assert (part.amount, rest.amount) == (euros(1000), euros(3990))
    assert order.refunded == Order.objects.get(pk=order.pk).refunded == order.total
    events = Event.objects.filter(type="order.refunded").order_by("time")
    assert [(event.subject, event.data) for event in events] == [
        (
            f"order/{order.pk}",
            {
                "order_id": order.pk,
                "customer_id": order.customer_id,
                "refund_id": refund.pk,
                "amount_minor": refund.amount_minor,
                "currency": "EUR",
            },
        )
        for refund in (part, rest)
    ]


@pytest.mark.parametrize("amount", [euros(0), euros(4991), Money("USD", 100)])
def test_what_cannot_be_refunded_is_refused_with_what_can(amount: Money) -> None:
    order = an_order()

    with pytest.raises(OrderRefused, match=r"^amount: .* €49\.90 can still be refunded"):
        refund_order(order=order, amount=amount, reason="damaged")

    assert not Refund.objects.exists()
    assert not Event.objects.filter(type="order.refunded").exists()


def test_nothing_is_left_after_the_whole() -> None:
    order = an_order()
    refund_order(order=order, reason="returned")

    with pytest.raises(OrderRefused, match=r"€0\.00 can still be refunded"):
        refund_order(order=order, reason="returned")


def test_a_cancelled_order_is_refunded_by_its_cancellation() -> None:
    order = an_order()
    stale = Order.objects.get(pk=order.pk)
    cancel_order(order=order, reason="customer_request")

    assert order.refundable == euros(0)
    with pytest.raises(IllegalTransition, match="cancelled and cannot be refunded"):
        refund_order(order=stale, reason="damaged")


def test_an_unknown_reason_is_refused_with_those_there_are() -> None:
    with pytest.raises(OrderRefused, match="reason: 'whim' is not one of damaged, returned"):
        refund_order(order=an_order(), reason="whim")


def test_the_database_too_refuses_more_than_the_order_cost() -> None:
    order = an_order()
    with pytest.raises(IntegrityError), transaction.atomic():
        Order.objects.filter(pk=order.pk).update(refunded_minor=4991)


@pytest.mark.django_db(transaction=True)
def test_of_one_decision_pressed_twice_at_once_only_one_is_refunded() -> None:
    order = an_order()

    def press() -> str:
        copy = Order.objects.get(pk=order.pk)
        try:
            refund_order(order=copy, amount=euros(1000), reason="damaged", left=order.total)
        except OrderRefused as refusal:
            return str(refusal)
        return "refunded"

    meanwhile = f"amount: {order} was refunded meanwhile; €39.90 can still be refunded."
    assert sorted(at_once(press, 4)) == [*[meanwhile] * 3, "refunded"]
    assert Refund.objects.get().amount == euros(1000)


@pytest.mark.django_db(transaction=True)
def test_of_refunds_at_once_no_more_succeed_than_the_order_pays_for() -> None:
    order = an_order()

    def refund() -> bool:
        try:
            copy = Order.objects.get(pk=order.pk)
            refund_order(order=copy, amount=euros(2000), reason="damaged")
        except OrderRefused:
            return False
        return True

    assert at_once(refund, 6).count(True) == 2
    assert Order.objects.get(pk=order.pk).refunded == euros(4000)
    assert Refund.objects.count() == Event.objects.filter(type="order.refunded").count() == 2
