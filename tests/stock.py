"""Products in stock, orders for them, and what a worker does with the events of an order."""

from __future__ import annotations

from typing import Any

from notifications.envelope import Envelope
from notifications.models import Event
from orders_site.inventory.consumers import move_stock
from orders_site.inventory.models import StockItem
from orders_site.inventory.services import stock_product
from orders_site.orders.models import Order
from orders_site.orders.services import Line
from tests.shop import a_product, an_order


def in_stock(on_hand: int, *, threshold: int = 0, **product: Any) -> StockItem:
    """A product of which there are so many."""
    return stock_product(product=a_product(**product), on_hand=on_hand, reorder_threshold=threshold)


def order_of(*wishes: tuple[StockItem, int], **given: Any) -> Order:
    """An order for so many of each."""
    return an_order(lines=[Line(item.product, quantity) for item, quantity in wishes], **given)


def event_of(order: Order, type: str = "order.created") -> Envelope:
    """What the queue brings of it."""
    return Event.objects.get(subject=f"order/{order.pk}", type=type).envelope()


def placed(order: Order) -> None:
    """The inventory is told that it was placed."""
    move_stock(event_of(order))


def cancelled(order: Order) -> None:
    """The inventory is told that it was cancelled."""
    move_stock(event_of(order, "order.cancelled"))


def on_hand(item: StockItem) -> int:
    return StockItem.objects.get(pk=item.pk).on_hand


def told(type: str) -> list[dict[str, Any]]:
    """The data of each event of this type, the oldest first."""
    return list(Event.objects.filter(type=type).order_by("pk").values_list("data", flat=True))
