"""What the shop itself knows of an order, for its timeline (NOTIFICATIONS["TIMELINE"]).

Each app that has something to tell of a subject is a function here: the rows it asks for by one
query or two, and an entry for each moment. It is asked for every subject, and says nothing of
those that are not its own.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from notifications.timeline_entries import Entry, Kind
from orders_site.inventory.models import Reservation
from orders_site.orders.models import Order
from orders_site.payments.models import Payment, PaymentRefund

_ORDER = re.compile(r"order/([1-9][0-9]{0,17})\Z")


def entries(subject: str) -> Iterator[Entry]:
    """Everything that the shop's apps have on record of it, in any order."""
    for of_app in _APPS:
        yield from of_app(subject)


def _order_of(subject: str) -> int | None:
    found = _ORDER.match(subject)
    return int(found[1]) if found else None


def _of_order(subject: str) -> Iterator[Entry]:
    order = Order.objects.filter(pk=_order_of(subject)).first()
    if order is None:
        return
    refunds = list(order.refunds.select_related("order").order_by("pk"))
    ids = {"order": str(order.pk)}
    yield Entry(order.placed_at, Kind.SHOP, "order placed", order.total.format("en"), ids=ids)
    if order.shipped_at:
        parcel = f"{order.carrier} {order.tracking_code}".strip()
        yield Entry(order.shipped_at, Kind.SHOP, "order shipped", parcel, ids=ids)
    if order.cancelled_at:
        why = order.get_cancel_reason_display()
        yield Entry(order.cancelled_at, Kind.SHOP, "order cancelled", why, ids=ids)
    for refund in refunds:
        detail = f"{refund.amount.format('en')}: {refund.get_reason_display()}"
        named = {**ids, "refund": str(refund.pk)}
        yield Entry(refund.refunded_at, Kind.SHOP, "refund owed", detail, ids=named)


def _of_payment(subject: str) -> Iterator[Entry]:
    payment = Payment.objects.filter(order=_order_of(subject)).first()
    if payment is not None and payment.settled_at:
        what = {
            Payment.State.COMPLETED: "payment charged",
            Payment.State.FAILED: "payment declined",
        }.get(Payment.State(payment.state), "payment called off, never charged")
        detail = " ".join([payment.amount.format("en"), payment.decline_code]).strip()
        ids = {"payment": str(payment.pk), "charge": payment.provider_id or payment.key}
        yield Entry(payment.settled_at, Kind.SHOP, what, detail, ids=ids)
    for refund in PaymentRefund.objects.filter(order=_order_of(subject)).select_related("order"):
        ids = {"refund": refund.provider_id or refund.key}
        if refund.state == PaymentRefund.State.DONE and refund.settled_at and refund.amount:
            detail = refund.amount.format("en")
            yield Entry(refund.settled_at, Kind.SHOP, "money given back", detail, ids=ids)
        elif refund.state == PaymentRefund.State.COVERED and refund.settled_at:
            yield Entry(refund.settled_at, Kind.SHOP, "nothing was left to give back", ids=ids)
        else:
            yield Entry(refund.created_at, Kind.SHOP, "refund is still to be made", ids=ids)


def _of_stock(subject: str) -> Iterator[Entry]:
    reservation = Reservation.objects.filter(order=_order_of(subject)).first()
    if reservation is None:
        return
    lines = reservation.lines.select_related("item__product").order_by("pk")
    taken = ", ".join(f"{line.quantity} x {line.item.product.sku}" for line in lines)
    if reservation.short_of:
        detail = f"too few of {', '.join(reservation.short_of)}"
        yield Entry(reservation.made_at, Kind.SHOP, "stock is short, nothing taken", detail)
    elif taken:
        yield Entry(reservation.made_at, Kind.SHOP, "stock taken", taken)
    if reservation.released_at and taken:
        yield Entry(reservation.released_at, Kind.SHOP, "stock taken is released", taken)


_APPS = (_of_order, _of_payment, _of_stock)
