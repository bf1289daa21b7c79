"""The shop's events: ids and facts, in the past tense.

`order_id` is all that another publisher must give.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from notifications.events import EventData, event

TOPIC = "order-events"

Id = Annotated[int, Field(gt=0, lt=2**63)]
MinorUnits = Annotated[int, Field(ge=0, lt=2**63)]
CurrencyCode = Annotated[str, Field(pattern=r"^[A-Z]{3}$")]
Word = Annotated[str, Field(max_length=40)]


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
