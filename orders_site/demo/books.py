"""The books that are judged: the shop's orders, its shelf, and the payment provider's own ledger.

Of what payments and inventory have written down for themselves, only the count on the shelf is
read, and which orders were said to be short.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator

from notifications.local.providers.client import Charge
from notifications.models import Event
from orders_site.demo.balance import Sale, Taking
from orders_site.demo.shelf import Parcel
from orders_site.inventory.models import StockItem
from orders_site.orders.models import Order, OrderLine


def sales(charges: Collection[Charge], *, excused: Collection[int] = ()) -> Iterator[Sale]:
    """Every order. Excused are those given."""
    declined = {order_of(charge) for charge in charges if charge.status == "declined"}
    for order in Order.objects.order_by("pk"):
        yield Sale(
            order.pk,
            order.total_minor,
            owed_back=order.refunded_minor,
            cancelled=order.state == Order.State.CANCELLED,
            declined=order.pk in declined,
            excused=order.pk in excused,
        )


def takings(charges: Collection[Charge]) -> Iterator[Taking]:
    """Every charge that was made."""
    for charge in charges:
        if charge.status == "succeeded":
            yield Taking(order_of(charge), charge.amount, charge.refunded)


def parcels() -> Iterator[Parcel]:
    """Every order. A cancelled one holds nothing, unless its parcel was lost; one that was short
    took nothing."""
    wanted: dict[int, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    for order_id, sku, quantity in OrderLine.objects.values_list("order_id", "sku", "quantity"):
        wanted[order_id][sku] += quantity
    short = set(Event.objects.filter(type="order.unfulfillable").values_list("subject", flat=True))
    for order in Order.objects.order_by("pk"):
        brought_back = (
            order.state == Order.State.CANCELLED
            and order.cancel_reason != Order.CancelReason.LOST_IN_TRANSIT
        )
        holds = not brought_back and f"order/{order.pk}" not in short
        yield Parcel(order.pk, holds, wanted[order.pk])


def on_hand() -> dict[str, int]:
    """Pieces by SKU, of what is kept in stock."""
    return dict(StockItem.objects.values_list("product__sku", "on_hand"))


def order_of(charge: Charge) -> int:
    return int(charge.reference.rpartition("/")[2])
