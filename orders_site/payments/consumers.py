"""Payments as a consumer: an event becomes a wish, and what is due is settled.

What is asked of the provider is kept in one transaction with the inbox row and with the events that
it made true; see `orders_site.payments.services.settle`.
"""

from __future__ import annotations

from functools import partial

from celery import shared_task

from notifications import inbox, restorations
from notifications.channels.consumers import TRIED
from notifications.consumers import Consumer, register
from notifications.envelope import Envelope
from notifications.exceptions import Busy
from notifications.worker.task import EventTask
from orders_site.payments import services
from orders_site.payments.doubting_provider import DoubtingProvider
from orders_site.payments.exceptions import Held, PaymentError
from orders_site.payments.httpx_provider import configured
from orders_site.payments.provider import Provider
from orders_site.payments.watched_provider import WatchedProvider, translated

CONSUMER = "payments"

LOOK_AGAIN = 2.0
"""Seconds after which an event is looked at again whose order is being settled for another one. A
provider seldom takes longer; the lease, which ends by itself, is for one that died."""

register(
    Consumer(
        CONSUMER,
        task="payments.settle",
        wants=frozenset({"order.created", "order.refunded", "order.cancelled"}),
        max_seconds=90,
    )
)


@shared_task(name="payments.settle", **TRIED)
def settle(self: EventTask, envelope: Envelope) -> None:
    """Charge, refund or call off: nine tries, as a channel has."""
    provider: Provider = WatchedProvider(configured(), CONSUMER)
    handle(envelope, DoubtingProvider(provider) if restorations.is_doubted() else provider)


def handle(envelope: Envelope, provider: Provider) -> None:
    """Note what the event asks for, and settle the order. Raises the errors of `notifications`."""
    order_id: int = envelope.data["order_id"]
    try:
        _wish(envelope, order_id)
        services.settle(
            order_id=order_id, provider=provider, closing=partial(_enter_inbox, envelope)
        )
    except Held as held:
        raise Busy("its order is being settled", "held", min(held.seconds, LOOK_AGAIN)) from held
    except PaymentError as error:
        raise translated(error) from error


def _wish(envelope: Envelope, order_id: int) -> None:
    match envelope.type:
        case "order.created":
            services.expect_charge(order_id=order_id)
        case "order.cancelled":
            services.call_off(order_id=order_id)
        case "order.refunded":
            services.owe_refund(
                order_id=order_id,
                key=_refund_key(envelope),
                amount_minor=envelope.data.get("amount_minor"),
                currency=envelope.data.get("currency"),
            )


def _refund_key(envelope: Envelope) -> str:
    """Another publisher's refund ids are not ours: its event's id stands for them."""
    refund_id = None if envelope.foreign else envelope.data.get("refund_id")
    return f"refund-{refund_id or envelope.id}"


def _enter_inbox(envelope: Envelope) -> None:
    with inbox.once(CONSUMER, envelope):
        pass  # what it asked for is done, in this transaction or before it
