"""The seam between the inventory and `notifications`: orders move stock, and stock says so.

A `consumers.py` is read in every process, so what the inventory says in the admin is heard too.
"""

from __future__ import annotations

from typing import Any

from celery import shared_task
from django.dispatch import receiver

from notifications import inbox, outbox
from notifications.consumers import Consumer, register
from notifications.envelope import Envelope
from notifications.exceptions import PermanentError, TransientError
from notifications.worker.task import EventTask
from orders_site.events import OrderUnfulfillable, StockLow
from orders_site.inventory.models import Reservation, StockItem
from orders_site.inventory.services import release_stock, reserve_stock
from orders_site.inventory.signals import order_unfulfillable, stock_low
from orders_site.orders.models import Order

CONSUMER = register(
    Consumer(
        "inventory",
        task="inventory.move_stock",
        wants=frozenset({"order.created", "order.cancelled"}),
    )
)


@shared_task(
    bind=True,
    base=EventTask,
    name=CONSUMER.task,
    autoretry_for=(TransientError,),
    max_retries=CONSUMER.max_retries,
    retry_backoff=2,
    retry_backoff_max=600,
)
def move_stock(self: EventTask, envelope: Envelope) -> None:
    """Take an order's pieces when it is placed, give them back when it is cancelled."""
    with inbox.once(CONSUMER.name, envelope) as to_do:
        if not to_do:
            return
        order = _order(envelope)
        if envelope.type == "order.cancelled":
            release_stock(order=order)
        else:
            reserve_stock(order=order)


@receiver(stock_low, dispatch_uid="record stock.low")
def record_low(*, item: StockItem, **_: Any) -> None:
    outbox.record(
        StockLow(sku=item.product.sku, on_hand=item.on_hand, threshold=item.reorder_threshold),
        time=item.low_since,
    )


@receiver(order_unfulfillable, dispatch_uid="record order.unfulfillable")
def record_unfulfillable(*, reservation: Reservation, **_: Any) -> None:
    outbox.record(OrderUnfulfillable(order_id=reservation.order_id, skus=reservation.short_of))


def _order(envelope: Envelope) -> Order:
    number = envelope.data["order_id"]
    try:
        return Order.objects.get(pk=number)
    except Order.DoesNotExist:
        raise PermanentError(
            f"order_id: there is no order {number}", code="no_such_order"
        ) from None
