"""The operations on orders. A client finds those that it has placed, and no others."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any

from django.http import HttpRequest, HttpResponse
from ninja import Header, Query, Router

from orders_site.api.exceptions import Fault, Problem
from orders_site.api.idempotency import HEADER, Answer, Slot, answer_once
from orders_site.api.models import MAX_KEY, ApiClient
from orders_site.api.schemas import (
    BIGINT,
    Cancellation,
    ErrorOut,
    NewOrder,
    NewRefund,
    OrderOut,
    Page,
    Shipment,
)
from orders_site.customers.models import Customer
from orders_site.orders.models import Order, OrderLine, Product
from orders_site.orders.money import Money
from orders_site.orders.services import (
    Line,
    cancel_order,
    place_order,
    refund_order,
    ship_order,
)

MAX_PAGE = 100
PATH = "/api/orders"

router = Router(tags=["orders"])

Key = Annotated[
    str | None,
    Header(
        alias=HEADER,
        min_length=1,
        max_length=MAX_KEY,
        pattern=r"^[ -~]+$",
        description="Of your choice, one for each thing that you want done, a UUID for instance. "
        "A repetition within 24 hours is answered alike and does nothing.",
    ),
]


def errors_of(*statuses: int) -> dict[int, type[ErrorOut]]:
    """As operations declare them for the OpenAPI page."""
    return dict.fromkeys(statuses, ErrorOut)


READING = errors_of(401, 404, 422, 429, 500, 503)
CREATING = errors_of(400, 401, 409, 413, 422, 429, 500, 503)
CHANGING = errors_of(400, 401, 404, 409, 413, 422, 429, 500, 503)


@router.post("/orders", response={201: OrderOut, **CREATING}, summary="Place an order")
def create_order(request: HttpRequest, wish: NewOrder, key: Key = None) -> HttpResponse:
    """Order products for a customer, at today's prices. `Location` says where the order is."""
    client: ApiClient = request.auth

    def work() -> Answer:
        order = place_order(
            customer=find_customer(wish.customer), lines=find_lines(wish), client=client.name
        )
        return _answer(order, status=201, location=f"{PATH}/{order.pk}")

    return answer_once(slot_of(client, key, f"POST {PATH}", wish), work)


@router.get(
    "/orders", response={200: Page, **errors_of(401, 422, 429, 500, 503)}, summary="List orders"
)
def list_orders(
    request: HttpRequest,
    after: Annotated[
        int | None, Query(ge=1, le=BIGINT, description="The `next` of the page before.")
    ] = None,
    limit: Annotated[int, Query(ge=1, le=MAX_PAGE)] = 50,
    state: Annotated[Order.State | None, Query(description="Only orders in this state.")] = None,
) -> HttpResponse:
    """Your orders, the latest first: new ones never move those of the pages behind."""
    found = _own(request).order_by("-pk").prefetch_related("lines")
    if state is not None:
        found = found.filter(state=state)
    if after is not None:
        found = found.filter(pk__lt=after)
    orders = list(found[: limit + 1])
    more, orders = len(orders) > limit, orders[:limit]
    page = Page.model_construct(
        orders=[OrderOut.of(order, list(order.lines.all())) for order in orders],
        next=orders[-1].pk if more else None,
    )
    return HttpResponse(page.model_dump_json(), content_type="application/json")


@router.get("/orders/{int:order_id}", response={200: OrderOut, **READING}, summary="Read an order")
def read_order(request: HttpRequest, order_id: int) -> HttpResponse:
    return _answer(_find(request, order_id)).response()


@router.post(
    "/orders/{int:order_id}/ship", response={200: OrderOut, **CHANGING}, summary="Ship an order"
)
def ship(request: HttpRequest, order_id: int, shipment: Shipment, key: Key = None) -> HttpResponse:
    """Say that a placed order has left. The customer is told where it can be followed."""
    return _change(
        request,
        order_id,
        "ship",
        key,
        shipment,
        lambda order: ship_order(
            order=order, tracking_code=shipment.tracking_code, carrier=shipment.carrier
        ),
    )


@router.post(
    "/orders/{int:order_id}/cancel",
    response={200: OrderOut, **CHANGING},
    summary="Cancel an order",
)
def cancel(
    request: HttpRequest, order_id: int, cancellation: Cancellation, key: Key = None
) -> HttpResponse:
    """Cancel a placed order; or a shipped one whose parcel was lost or came back.

    What was paid for it goes back, and what was reserved returns to the shelf.
    """
    return _change(
        request,
        order_id,
        "cancel",
        key,
        cancellation,
        lambda order: cancel_order(order=order, reason=cancellation.reason),
    )


@router.post(
    "/orders/{int:order_id}/refund",
    response={200: OrderOut, **CHANGING},
    summary="Refund an order, or a part of it",
)
def refund(request: HttpRequest, order_id: int, refund: NewRefund, key: Key = None) -> HttpResponse:
    """Owe the customer the amount, never more than the order's total in all. `refunded` says how
    much that is by now; the money follows when the payment provider has it done."""
    amount = refund.amount and Money(refund.amount.currency, refund.amount.amount_minor)
    return _change(
        request,
        order_id,
        "refund",
        key,
        refund,
        lambda order: refund_order(order=order, reason=refund.reason, amount=amount),
    )


def _change(
    request: HttpRequest,
    order_id: int,
    verb: str,
    key: str | None,
    wish: Any,
    apply: Callable[[Order], object],
) -> HttpResponse:
    """One verb of the shop on one order of the client's own, once per key."""

    def work() -> Answer:
        order = _find(request, order_id)
        apply(order)
        return _answer(order)

    slot = slot_of(request.auth, key, f"POST {PATH}/{order_id}/{verb}", wish)
    return answer_once(slot, work)


def slot_of(client: ApiClient, key: str | None, operation: str, wish: Any) -> Slot | None:
    """By the parsed body: how it was spaced says nothing about what is asked."""
    if key is None:
        return None
    return Slot(client.name, key, f"{operation}\n{wish.model_dump_json()}")


def _own(request: HttpRequest) -> Any:
    return Order.objects.filter(client=request.auth.name)


def _find(request: HttpRequest, order_id: int) -> Order:
    """Another client's order is no order."""
    order: Order | None = _own(request).filter(pk=order_id).first()
    if order is None:
        raise Problem(404, "not_found", f"You have no order {order_id}.")
    return order


def find_customer(customer_id: int) -> Customer:
    """Any of the shop's who was not forgotten: nobody could be told what was charged. Raises
    Problem 422."""
    known = Customer.objects.only("pk")  # nothing of them is read
    customer = known.filter(pk=customer_id, forgotten_at=None).first()
    if customer is None:
        fault = Fault("customer", f"there is no customer {customer_id}")
        raise Problem(422, "invalid", f"customer: there is no customer {customer_id}.", [fault])
    return customer


def find_lines(wish: NewOrder) -> list[Line]:
    """With their products. Raises Problem 422 naming each that there is not."""
    products = Product.objects.in_bulk([line.sku for line in wish.lines], field_name="sku")
    missing = [
        Fault(f"lines.{number}.sku", f"there is no product {line.sku}")
        for number, line in enumerate(wish.lines)
        if line.sku not in products
    ]
    if missing:
        first = missing[0]
        raise Problem(422, "invalid", f"{first.field}: {first.message}.", missing)
    return [Line(products[line.sku], line.quantity) for line in wish.lines]


def _answer(order: Order, *, status: int = 200, location: str = "") -> Answer:
    lines: list[OrderLine] = list(order.lines.all())
    return Answer(status, OrderOut.of(order, lines).model_dump_json(), location)
