"""Believable customers and orders, the same again for the same seed."""

from __future__ import annotations

import re
import string
import unicodedata
from random import Random

from django.db import transaction

from orders_site.customers.models import Customer, Device
from orders_site.orders.markets import GOODS, MARKETS, Market
from orders_site.orders.models import Order, Product, Refund
from orders_site.orders.money import Money
from orders_site.orders.services import (
    Line,
    cancel_order,
    place_order,
    refund_order,
    ship_order,
)

_BY_COUNTRY = {market.country: market for market in MARKETS}
_TOKEN = string.ascii_letters + string.digits + "-_"


class Samples:
    """One seeded source. Customers, orders and their fates are drawn apart from one another."""

    def __init__(self, seed: int = 1) -> None:
        self.seed = seed
        self._random = Random(f"orders of {seed}")  # noqa: S311 - samples, not secrets
        self._fates = Random(f"fates of {seed}")  # noqa: S311
        self._catalogue: dict[str, list[Product]] = {}

    def customers(self, count: int) -> list[Customer]:
        """The first `count` customers of this seed, devices prefetched; made where missing."""
        random = Random(f"customers of {self.seed}")  # noqa: S311
        drawn = [_person(random, f"{self.seed}-{number}") for number in range(1, count + 1)]
        devices = {person.email: _devices(random) for person in drawn}
        with transaction.atomic():
            known = set(_by_email(drawn).values_list("email", flat=True))
            made = Customer.objects.bulk_create(p for p in drawn if p.email not in known)
            for person in made:
                for device in devices[person.email]:
                    device.customer = person
            Device.objects.bulk_create(d for person in made for d in devices[person.email])
        kept = {p.email: p for p in _by_email(drawn).prefetch_related("devices")}
        return [kept[person.email] for person in drawn]

    def catalogue(self) -> dict[str, list[Product]]:
        """What each country is offered, made where missing."""
        if not self._catalogue:
            offers = {market.country: _offers(market) for market in MARKETS}
            Product.objects.bulk_create(
                (product for offer in offers.values() for product in offer), ignore_conflicts=True
            )
            skus = [product.sku for offer in offers.values() for product in offer]
            found = {product.sku: product for product in Product.objects.filter(sku__in=skus)}
            self._catalogue = {
                country: [found[product.sku] for product in offer]
                for country, offer in offers.items()
            }
        return self._catalogue

    def place(self, customer: Customer) -> Order:
        """An order of one to five different things, mostly one of each."""
        offer = self.catalogue()[customer.country or "GB"]
        count = self._random.choices([1, 2, 3, 4, 5], weights=[40, 28, 17, 10, 5])[0]
        return place_order(
            customer=customer,
            lines=[
                Line(product, self._random.choices([1, 2, 3, 6], weights=[75, 17, 5, 3])[0])
                for product in self._random.sample(offer, count)
            ],
        )

    def ship(self, order: Order) -> Order:
        """With the carrier of the customer's country and a code as that carrier's look."""
        market = _BY_COUNTRY[order.customer.country or "GB"]
        code = re.sub("#", lambda _: self._fates.choice(string.digits), market.tracking)
        return ship_order(order=order, tracking_code=code, carrier=market.carrier)

    def cancel(self, order: Order) -> Order:
        """A placed order, for one of the everyday reasons."""
        everyday = [
            reason.value
            for reason in Order.CancelReason
            if Order.cancellable_from(reason) == Order.State.PLACED
        ]
        return cancel_order(order=order, reason=self._fates.choice(everyday))

    def refund(self, order: Order) -> Refund:
        """Mostly a part of what can be refunded, sometimes all of it."""
        left = order.refundable
        percent = self._fates.choice([10, 20, 50, 100])
        amount = Money(left.currency, max(1, left.amount * percent // 100))
        reason = self._fates.choice(Refund.Reason.values)
        return refund_order(order=order, amount=amount, reason=reason)

    def choice(self, customers: list[Customer]) -> Customer:
        """Somebody; the first third orders most, as regulars do."""
        return customers[int(len(customers) * self._random.random() ** 1.6)]

    def chance(self) -> float:
        """From 0 up to 1: what becomes of an order."""
        return self._fates.random()


def _by_email(people: list[Customer]):
    return Customer.objects.filter(email__in=[person.email for person in people])


def _person(random: Random, suffix: str) -> Customer:
    market = random.choices(MARKETS, weights=[market.weight for market in MARKETS])[0]
    first, last = random.choice(market.first_names), random.choice(market.last_names)
    phone = ""
    if market.phones and random.random() < 0.9:
        phone = f"{random.choice(market.phones)}{random.randrange(10, 100)}"
    return Customer(
        first_name=first,
        last_name=last,
        email=f"{_ascii(first)}.{_ascii(last)}.{suffix}@example.org",
        phone=phone,
        whatsapp=phone if random.random() < 0.7 else "",
        country=market.country,
        locale=market.locale,
        time_zone=random.choice(market.time_zones),
        email_consent=random.random() < 0.96,
        sms_consent=random.random() < 0.7,
        whatsapp_consent=random.random() < 0.6,
        push_consent=random.random() < 0.85,
    )


def _devices(random: Random) -> list[Device]:
    count = random.choices([0, 1, 2], weights=[25, 55, 20])[0]
    return [
        Device(platform=random.choice(Device.Platform.values), token=_token(random))
        for _ in range(count)
    ]


def _token(random: Random) -> str:
    """Shaped like those that Firebase gives out."""
    instance, rest = ("".join(random.choices(_TOKEN, k=length)) for length in (22, 134))
    return f"{instance}:APA91b{rest}"


def _offers(market: Market) -> list[Product]:
    return [
        Product(
            sku=f"{sku}-{market.country}",
            name=name,
            price_minor=_price(market, cents),
            currency=market.currency,
        )
        for sku, name, cents in GOODS
    ]


def _price(market: Market, euro_cents: int) -> int:
    steps = -(-int(euro_cents * market.factor) // market.step)
    return steps * market.step + market.ending


def _ascii(name: str) -> str:
    letters = name.lower().translate(str.maketrans({"ä": "ae", "ö": "oe", "ü": "ue", "ß": "ss"}))
    plain = unicodedata.normalize("NFKD", letters).encode("ascii", "ignore").decode()
    return re.sub(r"[^a-z]", "", plain)
