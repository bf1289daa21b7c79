"""The seam between analytics and `notifications`: every event is recorded."""

from __future__ import annotations

from celery import shared_task

from notifications import inbox
from notifications.consumers import Consumer, register
from notifications.envelope import Envelope
from notifications.exceptions import PermanentError, TransientError
from notifications.worker.task import EventTask
from orders_site.analytics.services import record_event
from orders_site.orders.exceptions import OrderRefused
from orders_site.orders.money import Money

CONSUMER = register(Consumer("analytics", task="analytics.record", wants=None))

AMOUNTS = {
    "order.created": "total_minor",
    "payment.completed": "amount_minor",
    "order.refunded": "amount_minor",
}
"""Where the amount stands that figures are made of; its `currency` stands beside it."""


@shared_task(
    bind=True,
    base=EventTask,
    name=CONSUMER.task,
    autoretry_for=(TransientError,),
    max_retries=CONSUMER.max_retries,
    retry_backoff=2,
    retry_backoff_max=600,
)
def record(self: EventTask, envelope: Envelope) -> None:
    """Keep the event and the facts that figures are made of."""
    with inbox.once(CONSUMER.name, envelope) as to_do:
        if to_do:
            record_event(
                event_id=envelope.id,
                type=envelope.type,
                subject=envelope.subject,
                time=envelope.time,
                amount=_amount(envelope),
            )


def _amount(envelope: Envelope) -> Money | None:
    """What the event says of money; None where it says nothing.

    Of an amount in a currency that nobody here knows no figure can be made, so it is a dead
    letter, to be redriven once the currency is known.
    """
    field = AMOUNTS.get(envelope.type, "")
    amount, currency = envelope.data.get(field), envelope.data.get("currency")
    if amount is None:
        return None
    if currency is None:
        raise PermanentError(f"currency: missing beside {field}", "unusable_amount")
    try:
        return Money(currency, amount)
    except OrderRefused as error:
        raise PermanentError(
            str(error).replace("amount:", f"{field}:"), "unusable_amount"
        ) from None
