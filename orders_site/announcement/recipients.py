"""Whom the announcement is for, with what it promises each of them; and who orders meanwhile.

What is promised is written down here from what the customers agreed to, not asked of the code that
it judges.
"""

from __future__ import annotations

from random import Random

from django.db import transaction

from notifications.local.providers.client import AcceptedMessage
from orders_site.customers.models import Customer, Device
from orders_site.demo.manifest import Contact, Manifest
from orders_site.orders.models import Order
from orders_site.orders.samples import Samples

TOGETHER = 1000
"""Customers made in one transaction."""

NEWS = "shop.news"


def invite(manifest: Manifest, *, count: int, seed: int) -> None:
    """So many customers, most of whom take all four channels."""
    dice = Random(f"recipients of {seed}")  # noqa: S311 - samples, not secrets
    for first in range(0, count, TOGETHER):
        numbers = range(first, min(first + TOGETHER, count))
        with transaction.atomic():
            customers = Customer.objects.bulk_create(_person(number, dice) for number in numbers)
            devices = Device.objects.bulk_create(
                Device(customer=customer, platform="android", token=f"token-{number}-{device}")
                for number, customer in zip(numbers, customers, strict=True)
                for device in range(dice.choices([0, 1, 2], weights=[2, 95, 3])[0])
            )
        tokens: dict[int, list[str]] = {}
        for device in devices:
            tokens.setdefault(device.customer_id, []).append(device.token)
        for customer in customers:
            contact = _contact(customer, tokens.get(customer.pk, []))
            manifest.add(subject=f"customer/{customer.pk}", event_type=NEWS, contact=contact)


class Orders:
    """Somebody orders now and then, and is to hear of it soon, whatever else goes out."""

    def __init__(self, manifest: Manifest, *, seed: int) -> None:
        self._manifest = manifest
        self._samples = Samples(seed)
        self._placed: list[Order] = []

    def place(self) -> None:
        number = len(self._placed)
        customer = Customer.objects.create(
            first_name="Grace",
            last_name=f"No. {number}",
            email=f"grace-{number}@example.org",
            country="GB",
            push_consent=False,
        )
        order = self._samples.place(customer)
        self._placed.append(order)
        contact = Contact({"email": (customer.email,)})
        self._manifest.add(subject=f"order/{order.pk}", event_type="order.created", contact=contact)

    def waits(self, accepted: list[AcceptedMessage]) -> list[float]:
        """Seconds from each order to its confirmation by mail, the longest last."""
        placed = {f"order/{order.pk}": order.placed_at for order in self._placed}
        return sorted(
            (message.accepted_at - placed[message.subject]).total_seconds()
            for message in accepted
            if message.subject in placed and message.channel == "email"
        )


def _person(number: int, dice: Random) -> Customer:
    return Customer(
        first_name="Ada",
        last_name=f"No. {number}",
        email=f"ada-{number}@example.org",
        phone=f"+4917{number:08d}",
        whatsapp=f"+4916{number:08d}" if dice.random() > 0.03 else "",
        country="DE",
        locale=dice.choice(["de", "en"]),
        time_zone="Europe/Berlin",
        email_consent=dice.random() > 0.01,
        sms_consent=dice.random() > 0.03,
        whatsapp_consent=dice.random() > 0.03,
        push_consent=dice.random() > 0.02,
    )


def _contact(customer: Customer, tokens: list[str]) -> Contact:
    places = {
        "email": [customer.email],
        "sms": [customer.phone],
        "whatsapp": [customer.whatsapp],
        "push": tokens,
    }
    return Contact(
        {
            channel: tuple(filter(None, addresses))
            for channel, addresses in places.items()
            if getattr(customer, f"{channel}_consent")
        }
    )
