"""What can be done with an order. Each verb is one transaction and sends one signal inside it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from django.db import transaction
from django.utils import timezone

from orders_site.customers.models import Customer
from orders_site.orders import signals
from orders_site.orders.exceptions import IllegalTransition, OrderRefused
from orders_site.orders.models import MAX_QUANTITY, Order, OrderLine, Product, Refund
from orders_site.orders.money import Money

MAX_LINES = 100


@dataclass(frozen=True)
class Line:
    """One wish of the customer: so many of this product."""

    product: Product
    quantity: int = 1

    def __post_init__(self) -> None:
        if isinstance(self.quantity, bool) or not 1 <= self.quantity <= MAX_QUANTITY:
            raise OrderRefused(
                f"quantity: {self.quantity!r} of {self.product.sku}; must be 1 to {MAX_QUANTITY}."
            )


def place_order(*, customer: Customer, lines: Iterable[Line], client: str = "") -> Order:
    """Make the order and its lines, at today's prices. Raises OrderRefused for impossible lines.

    client: who places it for the customer, by name; none: the shop itself.
    """
    lines = list(lines)
    total = _total(lines)
    with transaction.atomic():
        order = Order.objects.create(
            customer=customer,
            client=client,
            currency=total.currency,
            total_minor=total.amount,
            placed_at=timezone.now(),
        )
        OrderLine.objects.bulk_create(_as_sold(order, line) for line in lines)
        signals.order_created.send(sender=Order, order=order)
    return order


def ship_order(*, order: Order, tracking_code: str, carrier: str) -> Order:
    """Hand a placed order to the carrier. Raises IllegalTransition when it is no longer placed."""
    shipment = {
        "tracking_code": _text("tracking_code", tracking_code, 64),
        "carrier": _text("carrier", carrier, 40),
    }
    at = timezone.now()
    with transaction.atomic():
        if not Order.objects.mark_shipped(order.pk, at=at, **shipment):
            raise _illegal(order, Order.State.SHIPPED)
        _now_reads(order, state=Order.State.SHIPPED, shipped_at=at, **shipment)
        signals.order_shipped.send(sender=Order, order=order)
    return order


def cancel_order(*, order: Order, reason: str) -> Order:
    """Cancel for one of Order.CancelReason.

    A placed order can be cancelled; a shipped one only because its parcel was lost or
    came back. Raises IllegalTransition otherwise, OrderRefused for an unknown reason.
    """
    if reason not in Order.CancelReason.values:
        raise OrderRefused(
            f"reason: {reason!r} is not one of {', '.join(Order.CancelReason.values)}."
        )
    why, at = Order.CancelReason(reason), timezone.now()
    with transaction.atomic():
        if not Order.objects.mark_cancelled(order.pk, reason=why, at=at):
            raise _illegal(order, f"{Order.State.CANCELLED.value} ({why.value})")
        _now_reads(order, state=Order.State.CANCELLED, cancel_reason=why, cancelled_at=at)
        signals.order_cancelled.send(sender=Order, order=order)
    return order


def refund_order(
    *, order: Order, reason: str, amount: Money | None = None, left: Money | None = None
) -> Refund:
    """Owe the customer `amount`, or all that is left, for one of Refund.Reason.

    left: what could still be refunded when it was decided: who decides twice, or with another,
    refunds once. Never more than the order's total in all. Raises IllegalTransition when the order
    is cancelled (all that was paid goes back then), OrderRefused for an unknown reason, too much,
    or another refund meanwhile.
    """
    if reason not in Refund.Reason.values:
        raise OrderRefused(f"reason: {reason!r} is not one of {', '.join(Refund.Reason.values)}.")
    with transaction.atomic():
        _lock(order)
        amount = order.refundable if amount is None else amount
        if order.state not in Order.REFUNDABLE:
            raise _illegal(order, "refunded")
        if left not in (None, order.refundable):
            raise OrderRefused(
                f"amount: {order} was refunded meanwhile; {order.refundable} can still be refunded."
            )
        if amount.currency != order.currency or not 1 <= amount.amount <= order.refundable.amount:
            raise OrderRefused(
                f"amount: {amount} of {order}; {order.refundable} can still be refunded."
            )
        order.refunded_minor += amount.amount
        order.save(update_fields=["refunded_minor"])
        refund = Refund.objects.create(
            order=order, amount_minor=amount.amount, reason=reason, refunded_at=timezone.now()
        )
        signals.order_refunded.send(sender=Order, order=order, refund=refund)
    return refund


def _lock(order: Order) -> None:
    """Bring the caller's copy up to date, as it stays until the transaction ends."""
    row = Order.objects.select_for_update().filter(pk=order.pk)
    _now_reads(order, **row.values("state", "refunded_minor").get())


def _total(lines: list[Line]) -> Money:
    if not 1 <= len(lines) <= MAX_LINES:
        raise OrderRefused(f"lines: an order has 1 to {MAX_LINES}, this one {len(lines)}.")
    first, *others = (line.product.price * line.quantity for line in lines)
    return sum(others, start=first)


def _as_sold(order: Order, line: Line) -> OrderLine:
    product = line.product
    return OrderLine(
        order=order,
        product=product,
        sku=product.sku,
        name=product.name,
        quantity=line.quantity,
        unit_price_minor=product.price_minor,
    )


def _text(name: str, value: str, longest: int) -> str:
    value = value.strip()
    if not 1 <= len(value) <= longest or not value.isprintable():
        raise OrderRefused(f"{name}: must be 1 to {longest} printable characters.")
    return value


def _illegal(order: Order, wanted: str) -> IllegalTransition:
    """Names the state that it has now, which may be another than our copy remembers."""
    state = Order.objects.values_list("state", flat=True).get(pk=order.pk)
    return IllegalTransition(order.pk, state, wanted, Order.ways_out_of(state))


def _now_reads(order: Order, **changes: object) -> None:
    """Bring the caller's copy up to date without reading the row again."""
    for name, value in changes.items():
        setattr(order, name, value)
