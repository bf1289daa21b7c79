"""What a shop's own pages would do: place, ship, cancel and refund orders. JSON in, JSON out."""

from __future__ import annotations

import json

from django.db import transaction
from django.http import HttpRequest, JsonResponse
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from orders_site.customers.models import Customer
from orders_site.orders.exceptions import IllegalTransition, OrderRefused
from orders_site.orders.models import Order, Product, Refund
from orders_site.orders.money import Money
from orders_site.orders.services import (
    Line,
    cancel_order,
    place_order,
    refund_order,
    ship_order,
)


@csrf_exempt
@require_POST
def place(request: HttpRequest) -> JsonResponse:
    """{"customer": id, "products": [id, …]}: one of each. 201 once it is committed."""
    asked = json.loads(request.body)
    products = Product.objects.in_bulk(asked["products"])
    order = place_order(
        customer=Customer.objects.get(pk=asked["customer"]),
        lines=[Line(products[pk]) for pk in asked["products"]],
    )
    return JsonResponse({"order": order.pk}, status=201)


@csrf_exempt
@require_POST
def ship(request: HttpRequest, order: int) -> JsonResponse:
    """200 once it is committed; 409 when it was shipped or cancelled before."""
    try:
        ship_order(order=Order.objects.get(pk=order), tracking_code="1Z 42", carrier="DHL")
    except IllegalTransition as error:
        return JsonResponse({"error": str(error)}, status=409)
    return JsonResponse({"order": order})


@csrf_exempt
@require_POST
def cancel(request: HttpRequest, order: int) -> JsonResponse:
    """The same."""
    try:
        cancel_order(order=Order.objects.get(pk=order), reason=Order.CancelReason.CUSTOMER_REQUEST)
    except IllegalTransition as error:
        return JsonResponse({"error": str(error)}, status=409)
    return JsonResponse({"order": order})


@csrf_exempt
@require_POST
def refund(request: HttpRequest, order: int) -> JsonResponse:
    """{"half": whether half of the price, else all that is left}. 409: it is owed already."""
    wants_half = json.loads(request.body)["half"]
    try:
        with transaction.atomic():
            found = Order.objects.select_for_update().get(pk=order)
            if found.refunded_minor:  # by an earlier try, whose answer was lost
                return JsonResponse({"owed": found.refunded_minor}, status=409)
            half = Money(found.currency, found.total_minor // 2)
            amount = half if wants_half else None
            refund_order(order=found, reason=Refund.Reason.GOODWILL, amount=amount)
    except (IllegalTransition, OrderRefused) as error:
        return JsonResponse({"error": str(error)}, status=409)
    return JsonResponse({"order": order})
