"""The peer: an order request as shops write it first, with everything in the request.

Behind the same token and the same validation as ours, it places the same order; then it charges
the card, and sends the email and the SMS, one after the other.
"""

from __future__ import annotations

import os
from functools import cache

import httpx
from django.http import HttpRequest
from ninja import NinjaAPI, Status

from orders_site.api import errors
from orders_site.api.authentication import Bearer
from orders_site.api.orders import find_customer, find_lines
from orders_site.api.schemas import NewOrder, OrderOut
from orders_site.orders.models import Order
from orders_site.orders.services import place_order

api = NinjaAPI(urls_namespace="peer", auth=Bearer(), docs_url=None, openapi_url=None)
errors.install(api)


@api.post("/orders", response={201: OrderOut})
def create_order(request: HttpRequest, wish: NewOrder) -> Status:
    order = place_order(
        customer=find_customer(wish.customer), lines=find_lines(wish), client=request.auth.name
    )
    for provider in ("payment", "email", "sms"):
        _tell(provider, order)
    return Status(201, OrderOut.of(order, list(order.lines.all())))


def _tell(provider: str, order: Order) -> None:
    body = {"order": order.pk, "amount": order.total_minor, "currency": order.currency}
    _http().post(f"/{provider}", json=body).raise_for_status()


@cache
def _http() -> httpx.Client:
    return httpx.Client(base_url=os.environ["BENCH_PROVIDER_URL"], timeout=10, trust_env=False)
