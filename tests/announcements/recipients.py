"""The shop's own answers for orders, and one customer per announcement."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from notifications.conf import Route
from notifications.envelope import Envelope
from notifications.recipients import Recipient
from orders_site import recipients as shop
from orders_site.customers.models import Customer

ANNOUNCEMENT = "payment_successful"


def resolve(envelope: Envelope, route: Route) -> Iterable[Recipient]:
    if envelope.type != ANNOUNCEMENT:
        return shop.resolve(envelope, route)
    customer = Customer.objects.prefetch_related("devices").get(pk=envelope.data["customer_id"])
    addresses = {
        "email": [customer.email],
        "sms": [customer.phone],
        "whatsapp": [customer.whatsapp],
        "push": [device.token for device in customer.devices.all()],
    }
    return [
        Recipient(reference=f"customer/{customer.pk}/{number}", address=address, locale="en")
        for number, address in enumerate(addresses[route.channel])
    ]


def context(envelope: Envelope, recipient: Recipient) -> dict[str, Any]:
    if envelope.type != ANNOUNCEMENT:
        return shop.context(envelope, recipient)
    customer = Customer.objects.get(pk=envelope.data["customer_id"])
    return {"first_name": customer.first_name}


def no_longer_true(envelope: Envelope) -> str | None:
    return None if envelope.type == ANNOUNCEMENT else shop.no_longer_true(envelope)
