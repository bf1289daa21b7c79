"""The shop's events: ids and facts, in the past tense.

`order_id` is all that another publisher must give.
"""

from __future__ import annotations

from datetime import date, timedelta
from typing import Annotated

from pydantic import Field

from notifications.events import EventData, event

TOPIC = "order-events"
"""Orders and their payments: in a FIFO topic all events of an order keep their order."""
STOCK_TOPIC = "stock-events"

Id = Annotated[int, Field(gt=0, lt=2**63)]
MinorUnits = Annotated[int, Field(ge=0, lt=2**63)]
Pieces = Annotated[int, Field(ge=0, lt=2**63)]
CurrencyCode = Annotated[str, Field(pattern=r"^[A-Z]{3}$")]
Word = Annotated[str, Field(max_length=40)]
Sku = Annotated[str, Field(min_length=1, max_length=40)]


@event("order.created", subject="order/{order_id}", topic=TOPIC)
class OrderCreated(EventData):
    """An order was placed; `total_minor` in minor units of `currency`."""

    order_id: Id
    customer_id: Id | None = None
    total_minor: MinorUnits | None = None
    currency: CurrencyCode | None = None


@event("order.shipped", subject="order/{order_id}", topic=TOPIC)
class OrderShipped(EventData):
    """The parcel left with `carrier`. How to trace it stays in the shop: it leads to an address."""

    order_id: Id
    customer_id: Id | None = None
    carrier: Word | None = None


@event("order.cancelled", subject="order/{order_id}", topic=TOPIC)
class OrderCancelled(EventData):
    """The order will not be fulfilled; `reason` is one of the shop's codes."""

    order_id: Id
    customer_id: Id | None = None
    reason: Word | None = None


@event("order.refunded", subject="order/{order_id}", topic=TOPIC)
class OrderRefunded(EventData):
    """The shop owes `amount_minor` back, as payments is to carry out: all that is left of what
    was paid, where another publisher gives no amount."""

    order_id: Id
    customer_id: Id | None = None
    refund_id: Id | None = None
    amount_minor: MinorUnits | None = None
    currency: CurrencyCode | None = None


@event("order.unfulfillable", subject="order/{order_id}", topic=TOPIC)
class OrderUnfulfillable(EventData):
    """Stock is short of these: nothing was taken for the order."""

    order_id: Id
    skus: list[Sku]


@event("payment.completed", subject="order/{order_id}", topic=TOPIC)
class PaymentCompleted(EventData):
    """The order's price was charged; `amount_minor` in minor units of `currency`."""

    order_id: Id
    payment_id: Id | None = None
    amount_minor: MinorUnits
    currency: CurrencyCode


@event("payment.failed", subject="order/{order_id}", topic=TOPIC)
class PaymentFailed(EventData):
    """The charge was declined; `reason` is the payment provider's code."""

    order_id: Id
    payment_id: Id | None = None
    reason: Word


@event("stock.low", subject="sku/{sku}", topic=STOCK_TOPIC)
class StockLow(EventData):
    """What is on hand fell below the threshold at which more is ordered."""

    sku: Sku
    on_hand: Pieces
    threshold: Pieces


@event(
    "shop.news",
    subject="customer/{customer_id}",
    topic=TOPIC,  # of a second, standard one, the channels' queues could not be FIFO any more
    worth_sending_for=timedelta(days=14),
    category="news",
)
class ShopNews(EventData):
    """Everything is so much off until that day, for whoever gives the code."""

    customer_id: Id
    percent_off: Annotated[int, Field(ge=1, le=90)]
    until: date
    code: Annotated[str, Field(pattern=r"^[A-Z0-9]{3,20}$")]
