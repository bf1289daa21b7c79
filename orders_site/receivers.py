"""The seam between the shop's domain and `notifications`: a signal becomes an event.

Signals are sent inside the transaction of the change, so the event is kept or lost with it.
"""

from __future__ import annotations

from typing import Any

from django.dispatch import receiver

from notifications import outbox
from orders_site.events import (
    OrderCancelled,
    OrderCreated,
    OrderRefunded,
    OrderShipped,
    PaymentCompleted,
    PaymentFailed,
)
from orders_site.orders.models import Order, Refund
from orders_site.orders.signals import (
    order_cancelled,
    order_created,
    order_refunded,
    order_shipped,
)
from orders_site.payments.models import Payment
from orders_site.payments.signals import payment_completed, payment_failed


@receiver(order_created, dispatch_uid="record order.created")
def record_created(*, order: Order, **_: Any) -> None:
    outbox.record(
        OrderCreated(
            order_id=order.pk,
            customer_id=order.customer_id,
            total_minor=order.total_minor,
            currency=order.currency,
        ),
        time=order.placed_at,
    )


@receiver(order_shipped, dispatch_uid="record order.shipped")
def record_shipped(*, order: Order, **_: Any) -> None:
    outbox.record(
        OrderShipped(order_id=order.pk, customer_id=order.customer_id, carrier=order.carrier),
        time=order.shipped_at,
    )


@receiver(order_cancelled, dispatch_uid="record order.cancelled")
def record_cancelled(*, order: Order, **_: Any) -> None:
    outbox.record(
        OrderCancelled(
            order_id=order.pk, customer_id=order.customer_id, reason=order.cancel_reason
        ),
        time=order.cancelled_at,
    )


@receiver(order_refunded, dispatch_uid="record order.refunded")
def record_refunded(*, order: Order, refund: Refund, **_: Any) -> None:
    outbox.record(
        OrderRefunded(
            order_id=order.pk,
            customer_id=order.customer_id,
            refund_id=refund.pk,
            amount_minor=refund.amount_minor,
            currency=order.currency,
        ),
        time=refund.refunded_at,
    )


@receiver(payment_completed, dispatch_uid="record payment.completed")
def record_payment_completed(*, payment: Payment, **_: Any) -> None:
    outbox.record(
        PaymentCompleted(
            order_id=payment.order_id,
            payment_id=payment.pk,
            amount_minor=payment.amount_minor,
            currency=payment.currency,
        ),
        time=payment.settled_at,
    )


@receiver(payment_failed, dispatch_uid="record payment.failed")
def record_payment_failed(*, payment: Payment, **_: Any) -> None:
    outbox.record(
        PaymentFailed(
            order_id=payment.order_id, payment_id=payment.pk, reason=payment.decline_code
        ),
        time=payment.settled_at,
    )
