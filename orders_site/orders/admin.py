"""Products and orders for operators. Orders change through the services only, by POST."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.html import format_html

from notifications.admin import search
from orders_site.admin import EditableAdmin, ShopAdmin
from orders_site.orders.exceptions import OrderError
from orders_site.orders.forms import CancelForm, ShipForm
from orders_site.orders.models import Order, OrderLine, Product
from orders_site.orders.services import cancel_order, ship_order

MAX_AT_ONCE = 50


@admin.register(Product)
class ProductAdmin(EditableAdmin):
    list_display = ["sku", "name", "price"]
    search_help_text = "The whole SKU."
    ordering = ["sku"]

    def matching(self, term: str) -> Q:
        return Q(sku=term.upper())


class OrderLineInline(admin.TabularInline):
    model = OrderLine
    fields = readonly_fields = ["sku", "name", "quantity", "unit_price", "total"]
    extra = 0
    can_delete = False

    def has_add_permission(self, request: HttpRequest, obj: Order | None = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Order | None = None) -> bool:
        return False


@admin.register(Order)
class OrderAdmin(ShopAdmin):
    list_display = ["number", "state", "customer", "total", "placed_at", "deliveries"]
    list_filter = ["state"]
    list_select_related = ["customer"]
    search_help_text = "An order's number (17 or order/17) or its customer's whole email address."
    ordering = ["-pk"]
    inlines = [OrderLineInline]
    actions = ["ship", "cancel"]
    change_form_template = "admin/orders/order/change_form.html"
    fieldsets = [
        (None, {"fields": ["number", "state", "customer", "total", "placed_at", "deliveries"]}),
        ("Shipment", {"fields": ["carrier", "tracking_code", "shipped_at"]}),
        ("Cancellation", {"fields": ["cancel_reason", "cancelled_at"]}),
    ]

    @admin.display(description="order", ordering="pk")
    def number(self, order: Order) -> str:
        return f"#{order.pk}"

    @admin.display(description="notifications")
    def deliveries(self, order: Order) -> str:
        url = reverse("admin:notifications_delivery_changelist")
        return format_html(
            '<a href="{}?{}">deliveries</a>', url, urlencode({"q": f"order/{order.pk}"})
        )

    def matching(self, term: str) -> Q:
        if "@" in term:
            return Q(customer__email=term.lower())
        number = search.number(term.removeprefix("order/").removeprefix("#"))
        return Q(pk=number) if number is not None else Q(pk__in=[])

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        offered = [(name, name.capitalize()) for name in self.get_actions(request)]
        return super().change_view(
            request, object_id, form_url, {**(extra_context or {}), "order_actions": offered}
        )

    def has_ship_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("orders.ship_order")

    def has_cancel_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("orders.cancel_order")

    @admin.action(description="Ship the selected orders", permissions=["ship"])
    def ship(self, request: HttpRequest, queryset: QuerySet[Order]) -> HttpResponse | None:
        def apply(order: Order, form: ShipForm) -> None:
            ship_order(
                order=order,
                tracking_code=form.tracking_code(order),
                carrier=form.cleaned_data["carrier"],
            )

        return self._asked_first(request, queryset, ShipForm, "ship", "shipped", apply)

    @admin.action(description="Cancel the selected orders", permissions=["cancel"])
    def cancel(self, request: HttpRequest, queryset: QuerySet[Order]) -> HttpResponse | None:
        def apply(order: Order, form: CancelForm) -> None:
            cancel_order(order=order, reason=form.cleaned_data["reason"])

        return self._asked_first(request, queryset, CancelForm, "cancel", "cancelled", apply)

    def _asked_first(
        self,
        request: HttpRequest,
        queryset: QuerySet[Order],
        form_class: type[ShipForm] | type[CancelForm],
        action: str,
        done: str,
        apply: Callable[[Order, forms.Form], None],
    ) -> HttpResponse | None:
        """A form in between; then each order in its own transaction, refusals told one by one."""
        orders = list(queryset.order_by("pk")[: MAX_AT_ONCE + 1])
        if len(orders) > MAX_AT_ONCE:
            messages.error(request, f"Choose at most {MAX_AT_ONCE} orders at once.")
            return None
        confirmed = "confirmed" in request.POST
        form = form_class(orders, request.POST if confirmed else None)
        if not (confirmed and form.is_valid()):
            return self._ask(request, orders, form, action)
        for order in orders:
            try:
                apply(order, form)
            except OrderError as refusal:
                messages.error(request, str(refusal))
            else:
                messages.success(request, f"Order {order.pk} is {done}.")
        return None

    def _ask(
        self, request: HttpRequest, orders: list[Order], form: forms.Form, action: str
    ) -> HttpResponse:
        return TemplateResponse(
            request,
            "admin/orders/order/confirm.html",
            {
                **self.admin_site.each_context(request),
                "title": f"{action.capitalize()} {len(orders)} order{'s'[: len(orders) > 1]}",
                "opts": self.opts,
                "orders": orders,
                "form": form,
                "action": action,
                "checkbox": ACTION_CHECKBOX_NAME,
            },
        )
