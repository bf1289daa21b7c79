"""The order API as its clients use it: a client with a token, and what it may order."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from itertools import count
from typing import Any

from django.test import Client

from orders_site.api.clients import make_client
from orders_site.customers.models import Customer
from orders_site.orders.models import Product
from tests.shop import a_customer, a_product

PLENTY = 1_000_000
ORDERS = "/api/orders"
_numbers = count(1)


@dataclass
class Caller:
    """One API client with its token. Each call gives Django's response."""

    name: str
    token: str
    http: Client = field(default_factory=lambda: Client(raise_request_exception=False))

    def get(self, path: str = ORDERS, **query: Any) -> Any:
        return self.http.get(path, query, headers=self._headers(None))

    def post(self, path: str, body: Any, *, key: str | None = None) -> Any:
        """`body`: JSON's worth; or bytes, as they are."""
        data = body if isinstance(body, bytes) else json.dumps(body)
        return self.http.post(
            path, data, content_type="application/json", headers=self._headers(key)
        )

    def place(self, customer: Customer, *products: Product, key: str | None = None) -> Any:
        return self.post(ORDERS, an_order_for(customer, *products), key=key)

    def _headers(self, key: str | None) -> dict[str, str]:
        given = {"Authorization": f"Bearer {self.token}"}
        return given if key is None else {**given, "Idempotency-Key": key}


def a_caller(*, rate: int = PLENTY, may_announce: bool = False) -> Caller:
    name = f"shop-{next(_numbers)}"
    client, token = make_client(name=name, rate_per_minute=rate, may_announce=may_announce)
    return Caller(client.name, token)


def an_order_for(customer: Customer | None = None, *products: Product) -> dict[str, Any]:
    """Two of each; of a mug, where none is named."""
    customer = customer or a_customer()
    lines = [{"sku": product.sku, "quantity": 2} for product in products or [a_product()]]
    return {"customer": customer.pk, "lines": lines}
