"""S2: inventory and analytics beside the notifications, each on its own queue."""

from __future__ import annotations

import json

import pytest
from django.db import transaction

from notifications import outbox
from notifications.models import DeadLetter, Event
from orders_site.analytics import days
from orders_site.analytics.consumers import record
from orders_site.analytics.models import DailyFigures, RecordedEvent
from orders_site.events import OrderCreated
from orders_site.inventory.models import Reservation
from orders_site.orders.services import cancel_order
from tests.stock import event_of, in_stock, on_hand, order_of, told
from tests.waiting import wait_for

pytestmark = [pytest.mark.S2, pytest.mark.django_db(transaction=True)]


def test_s2_orders_move_stock_and_every_event_is_recorded(
    kind_of_topic, manage, relay, worker, customer, raw_queue
):
    mug = in_stock(5, threshold=4)
    fits, cancelled, does_not = (
        order_of((mug, quantity), customer=customer) for quantity in (2, 1, 9)
    )
    cancel_order(order=cancelled, reason="customer_request")
    relay()
    worker("inventory", "analytics")

    wait_for(lambda: Reservation.objects.count() == 3, within=60, what="three reservations")
    wait_for(
        lambda: (
            set(Reservation.objects.values_list("order", "state"))
            == {
                (fits.pk, "reserved"),
                (cancelled.pk, "released"),
                (does_not.pk, "short"),
            }
        ),
        within=60,
        what="what becomes of each order",
    )
    assert on_hand(mug) == 3
    assert told("order.unfulfillable") == [{"order_id": does_not.pk, "skus": [mug.product.sku]}]
    assert [low["threshold"] for low in told("stock.low")] == [4]
    wait_for(
        lambda: (
            set(RecordedEvent.objects.values_list("event_id", flat=True))
            == set(Event.objects.values_list("pk", flat=True))
        ),
        within=60,
        what="every event to be recorded, those of the inventory too",
    )
    wait_for(lambda: raw_queue("analytics").held() == 0, within=60, what="an empty queue")

    rolled = json.loads(manage("rollup", "--since", str(_first_day()), "--json"))
    assert sum(day["orders_placed"] for day in rolled["days"]) == 3
    assert sum(day["orders_cancelled"] for day in rolled["days"]) == 1


def test_s2_what_analytics_cannot_use_is_a_dead_letter_and_nothing_half(relay, worker, customer):
    order = order_of((in_stock(5), 1), customer=customer)
    with transaction.atomic():
        outbox.record(OrderCreated(order_id=order.pk, total_minor=100, currency="XTS"))
    relay()
    worker("analytics")

    letter = wait_for(DeadLetter.objects.first, within=60, what="the dead letter")
    assert (letter.queue, letter.reason) == ("analytics", "unusable_amount")
    assert "currency: 'XTS' is not one of" in letter.error
    wait_for(lambda: RecordedEvent.objects.count() == 1, within=60, what="the other event")


def test_s2_the_relay_adds_the_days_up(relay, customer):
    record(event_of(order_of((in_stock(5), 1), customer=customer)))
    relay()
    wait_for(
        lambda: DailyFigures.objects.filter(orders_placed=1, stale=False).exists(),
        within=120,
        what="the figures of the day",
    )


def _first_day():
    return days.day_of(Event.objects.earliest("time").time)
