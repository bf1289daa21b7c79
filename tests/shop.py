"""A customer, a product and an order, with whatever a test cares about."""

from __future__ import annotations

from itertools import count
from typing import Any

from orders_site.customers.models import Customer, Device
from orders_site.orders.models import Order, Product
from orders_site.orders.services import Line, place_order

_numbers = count(1)


def a_customer(*, devices: int = 0, **given: Any) -> Customer:
    """Meryem from Berlin, who agrees to everything and can be reached everywhere."""
    number = next(_numbers)
    customer = Customer.objects.create(
        **{
            "first_name": "Meryem",
            "last_name": "O'Çelik",
            "email": f"meryem{number}@example.org",
            "phone": "+4917299200" + f"{number % 100:02d}",
            "whatsapp": "+4917139200" + f"{number % 100:02d}",
            "country": "DE",
            "locale": "de",
            "time_zone": "Europe/Berlin",
            "sms_consent": True,
            "whatsapp_consent": True,
            **given,
        }
    )
    for device in range(devices):
        Device.objects.create(
            customer=customer,
            platform=Device.Platform.ANDROID,
            token=f"token-{number}-{device}",
        )
    return customer


def a_product(**given: Any) -> Product:
    number = next(_numbers)
    return Product.objects.create(
        **{
            "sku": f"MUG-{number}",
            "name": "Mug “Salt & Pine”",
            "price_minor": 2495,
            "currency": "EUR",
            **given,
        }
    )


def an_order(*, customer: Customer | None = None, lines: list[Line] | None = None) -> Order:
    """Two mugs for Meryem."""
    return place_order(
        customer=customer or a_customer(), lines=lines or [Line(a_product(), quantity=2)]
    )
