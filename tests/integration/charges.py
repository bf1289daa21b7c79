"""What tests of payments share: the shop's events as the consumer gets them, and amounts."""

from __future__ import annotations

from collections.abc import Callable

from notifications.envelope import Envelope
from notifications.exceptions import Busy
from notifications.models import Event
from orders_site.orders.models import Order
from orders_site.orders.money import Money
from orders_site.payments.consumers import handle
from orders_site.payments.provider import Provider
from tests.waiting import wait_for


def event(order: Order, kind: str) -> Envelope:
    """The newest event of that type about this order."""
    found = Event.objects.filter(subject=f"order/{order.pk}", type=kind).order_by("-id").first()
    assert found is not None
    return found.envelope()


def euros(cents: int) -> Money:
    return Money("EUR", cents)


def patiently(envelope: Envelope, provider: Provider) -> Callable[[], None]:
    """Handles it, again and again while somebody else is settling its order: as a worker does."""

    def done() -> bool:
        try:
            handle(envelope, provider)
        except Busy:
            return False
        return True

    return lambda: wait_for(done, within=60, what=f"{envelope.type} to be handled") and None
