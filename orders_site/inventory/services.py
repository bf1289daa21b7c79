"""What can be done with stock. Each verb is one transaction, right for any order of messages.

Whoever changes stock holds the order's reservation first, if one is concerned, and then the rows
of stock in the order of their primary key: nobody waits for somebody who waits for them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from django.db import transaction
from django.db.models import Sum
from django.utils import timezone

from orders_site.inventory import signals
from orders_site.inventory.exceptions import StockRefused
from orders_site.inventory.models import MOST, Reservation, ReservationLine, StockItem
from orders_site.orders.models import Order, Product


def stock_product(*, product: Product, on_hand: int, reorder_threshold: int = 0) -> StockItem:
    """Keep `product` in stock from now on: so many pieces, more being ordered below the threshold.

    Orders from before took nothing and take nothing. Raises StockRefused naming the bound.
    """
    item = StockItem(
        product=product,
        on_hand=_pieces("on_hand", on_hand),
        reorder_threshold=_pieces("reorder_threshold", reorder_threshold),
    )
    with transaction.atomic():
        item.save(force_insert=True)
        _settle([item])
    return item


def reserve_stock(*, order: Order) -> Reservation:
    """Take from stock what the order's lines ask for: all of it, or nothing where one is short.

    Once for an order, however often it is asked for. An order that was cancelled, here or by a
    message that overtook this one, takes nothing.
    """
    is_over = order.state == Order.State.CANCELLED and not _is_gone(order)
    state = Reservation.State.RELEASED if is_over else Reservation.State.RESERVED
    with transaction.atomic():
        reservation, new = Reservation.objects.enter(order, state)
        if not new or is_over:
            return reservation
        wanted = _wanted_by(order)
        items = list(StockItem.objects.filter(product_id__in=wanted).locked())
        short = [item for item in items if item.on_hand < wanted[item.product_id]]
        if short:
            _mark_short(reservation, short)
        else:
            _take(reservation, items, wanted)
    return reservation


def release_stock(*, order: Order) -> Reservation | None:
    """Give back exactly what was taken for an order that was cancelled.

    If nothing was taken yet, nothing will be. A parcel that was lost brings nothing back: its
    pieces are gone, and are taken even if this comes first. None then, if nothing was taken yet.
    """
    if _is_gone(order):
        return Reservation.objects.filter(order=order).first()
    with transaction.atomic():
        reservation, new = Reservation.objects.enter(order, Reservation.State.RELEASED)
        if not new and reservation.state != Reservation.State.RELEASED:
            _give_back(reservation)
    return reservation


def correct_stock(
    *, item: StockItem, by: int = 0, reorder_threshold: int | None = None
) -> StockItem:
    """What a count or a delivery of goods found: `by` pieces more on hand (fewer, if negative).

    A difference, so that what orders take meanwhile is not undone. Raises StockRefused for what
    would leave fewer than none, or more than MOST.
    """
    with transaction.atomic():
        row = StockItem.objects.locked().get(pk=item.pk)
        row.on_hand = _pieces("on_hand", row.on_hand + by)
        if reorder_threshold is not None:
            row.reorder_threshold = _pieces("reorder_threshold", reorder_threshold)
        _settle([row])
    return row


def _is_gone(order: Order) -> bool:
    """Whether its parcel has left and not come back: it is on its way, arrived or lost."""
    return (
        order.state == Order.State.SHIPPED
        or order.cancel_reason == Order.CancelReason.LOST_IN_TRANSIT
    )


def _wanted_by(order: Order) -> dict[int, int]:
    """Pieces by product, however many lines ask for it."""
    lines = order.lines.values_list("product_id").annotate(pieces=Sum("quantity")).order_by()
    return dict(lines)


def _mark_short(reservation: Reservation, short: Iterable[StockItem]) -> None:
    reservation.state = Reservation.State.SHORT
    reservation.short_of = sorted(item.product.sku for item in short)
    reservation.save(update_fields=["state", "short_of"])
    signals.order_unfulfillable.send(sender=Reservation, reservation=reservation)


def _take(reservation: Reservation, items: list[StockItem], wanted: Mapping[int, int]) -> None:
    for item in items:
        item.on_hand -= wanted[item.product_id]
    _settle(items)
    ReservationLine.objects.bulk_create(
        ReservationLine(reservation=reservation, item=item, quantity=wanted[item.product_id])
        for item in items
    )


def _give_back(reservation: Reservation) -> None:
    taken = dict(reservation.lines.values_list("item_id", "quantity"))
    items = list(StockItem.objects.filter(pk__in=taken).locked())
    for item in items:
        item.on_hand += taken[item.pk]
    _settle(items)
    reservation.state = Reservation.State.RELEASED
    reservation.released_at = timezone.now()
    reservation.save(update_fields=["state", "released_at"])


def _settle(items: list[StockItem]) -> None:
    """Write what changed, and say once of each that it fell below its threshold.

    The rows are locked, so of all who take from one exactly one sees it fall. It can fall again
    only after it stood at the threshold or above.
    """
    fell = []
    for item in items:
        if not item.is_below_threshold:
            item.low_since = None
        elif item.low_since is None:
            item.low_since = timezone.now()
            fell.append(item)
    StockItem.objects.bulk_update(items, ["on_hand", "reorder_threshold", "low_since"])
    for item in fell:
        signals.stock_low.send(sender=StockItem, item=item)


def _pieces(name: str, value: int) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= MOST:
        raise StockRefused(f"{name}: {value!r} pieces; must be 0 to {MOST:,}.")
    return value
