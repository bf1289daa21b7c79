"""An event of ordinary size: ids and facts of an order."""

from notifications.events import EventData, event


class Line(EventData):
    sku: str
    quantity: int


@event("bench.ordered", subject="order/{order_id}", topic="bench-events")
class Ordered(EventData):
    order_id: int
    customer_id: int
    total: int
    currency: str
    lines: tuple[Line, ...]
