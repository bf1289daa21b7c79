"""Products and orders for operators. Orders change through the services only, by POST."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.html import format_html
from django.utils.http import urlencode

from notifications.admin import display, search
from notifications.admin.filters import StateFilter
from orders_site.admin import EditableAdmin, ShopAdmin
from orders_site.orders.exceptions import OrderError
from orders_site.orders.forms import CancelForm, RefundForm, ShipForm
from orders_site.orders.models import Order, OrderLine, Product, Refund
from orders_site.orders.services import cancel_order, refund_order, ship_order
from orders_site.payments.admin import badge, payment_badge
from orders_site.payments.models import PaymentRefund

MAX_AT_ONCE = 50


@admin.register(Product)
class ProductAdmin(EditableAdmin):
    list_display = ["sku", "name", "price"]
    search_help_text = "The whole SKU."
    ordering = ["sku"]

    def matching(self, term: str) -> Q:
        return Q(sku=term.upper())


class OrderStateFilter(StateFilter):
    states = Order.State.values


class ReadInline(admin.TabularInline):
    """Rows that are read here, and changed by the services only."""

    extra = 0
    can_delete = False

    def has_add_permission(self, request: HttpRequest, obj: Order | None = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Order | None = None) -> bool:
        return False


class OrderLineInline(ReadInline):
    model = OrderLine
    fields = readonly_fields = ["sku", "name", "quantity", "unit_price", "total"]


class RefundInline(ReadInline):
    """What the shop said that it owes back."""

    model = Refund
    fields = readonly_fields = ["amount", "reason", "refunded_at"]


class PaymentRefundInline(ReadInline):
    """What came of it, and of a cancellation."""

    model = PaymentRefund
    fields = readonly_fields = ["key", "state_badge", "wanted", "amount", "settled_at"]

    @admin.display(description="state")
    def state_badge(self, refund: PaymentRefund) -> str:
        return badge(refund)


@admin.register(Order)
class OrderAdmin(ShopAdmin):
    list_display = ["number", "state_badge", "customer", "total", "paid", "age", "deliveries"]
    list_filter = [OrderStateFilter]
    list_select_related = ["customer", "payment"]
    search_help_text = (
        "An order's number (17, #17 or order/17), its customer's whole email address, "
        "or the whole name of the API client that placed it."
    )
    ordering = ["-id"]
    inlines = [OrderLineInline, RefundInline, PaymentRefundInline]
    actions = ["ship", "refund", "cancel"]
    change_form_template = "admin/orders/order/change_form.html"
    fieldsets = [
        (
            None,
            {
                "fields": [
                    "state_badge",
                    "customer",
                    "client",
                    "total",
                    "placed_at",
                    "stock",
                    "deliveries",
                ]
            },
        ),
        ("Payment", {"fields": ["paid", "refunded"]}),
        ("Shipment", {"fields": ["carrier", "tracking_code", "shipped_at"]}),
        ("Cancellation", {"fields": ["cancel_reason", "cancelled_at"]}),
    ]

    @admin.display(description="order")
    def number(self, order: Order) -> str:
        return f"#{order.pk}"

    @admin.display(description="state")
    def state_badge(self, order: Order) -> str:
        return display.badge(order.state)

    @admin.display(description="age")
    def age(self, order: Order) -> str:
        return display.age(order.placed_at)

    @admin.display(description="deliveries")
    def deliveries(self, order: Order) -> str:
        url = reverse("admin:notifications_delivery_changelist")
        return format_html(
            '<a href="{}?{}">who was told</a>', url, urlencode({"q": f"order/{order.pk}"})
        )

    @admin.display(description="payment")
    def paid(self, order: Order) -> str:
        return payment_badge(order)

    @admin.display(description="stock")
    def stock(self, order: Order) -> str:
        reservation = getattr(order, "reservation", None)
        if reservation is None:
            return display.EMPTY
        return display.link(display.page_url(reservation), display.badge(reservation.state))

    def matching(self, term: str) -> Q:
        if "@" in term:
            return Q(customer__email=term.lower())
        number = search.number(term.removeprefix("order/").removeprefix("#"))
        return Q(client=term) if number is None else Q(pk=number)

    def has_ship_permission(self, request: HttpRequest) -> bool:
        return bool(request.user.has_perm("orders.ship_order"))

    def has_refund_permission(self, request: HttpRequest) -> bool:
        return bool(request.user.has_perm("orders.refund_order"))

    def has_cancel_permission(self, request: HttpRequest) -> bool:
        return bool(request.user.has_perm("orders.cancel_order"))

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> HttpResponse:
        """With a button for each action that this person may take and this state allows."""
        order: Order = context["original"]
        context["ways"] = [
            (action, action.capitalize())
            for action, possible in (
                ("ship", order.can_ship),
                ("refund", order.refundable.amount > 0),
                ("cancel", order.can_cancel),
            )
            if possible and action in self.get_actions(request)
        ]
        return super().render_change_form(request, context, *args, **kwargs)

    @admin.action(description="Ship the selected orders", permissions=["ship"])
    def ship(self, request: HttpRequest, queryset: QuerySet[Order]) -> HttpResponse | None:
        def apply(order: Order, form: ShipForm) -> None:
            ship_order(
                order=order,
                tracking_code=form.tracking_code(order),
                carrier=form.cleaned_data["carrier"],
            )

        return self._asked_first(request, queryset, ShipForm, "ship", "shipped", apply)

    @admin.action(description="Refund the selected orders", permissions=["refund"])
    def refund(self, request: HttpRequest, queryset: QuerySet[Order]) -> HttpResponse | None:
        def apply(order: Order, form: RefundForm) -> None:
            refund_order(order=order, amount=form.amount(order), reason=form.cleaned_data["reason"])

        return self._asked_first(request, queryset, RefundForm, "refund", "refunded", apply)

    @admin.action(description="Cancel the selected orders", permissions=["cancel"])
    def cancel(self, request: HttpRequest, queryset: QuerySet[Order]) -> HttpResponse | None:
        def apply(order: Order, form: CancelForm) -> None:
            cancel_order(order=order, reason=form.cleaned_data["reason"])

        return self._asked_first(request, queryset, CancelForm, "cancel", "cancelled", apply)

    def _asked_first(
        self,
        request: HttpRequest,
        queryset: QuerySet[Order],
        form_class: type[ShipForm] | type[RefundForm] | type[CancelForm],
        action: str,
        done: str,
        apply: Callable[[Order, Any], None],
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
        plural = "s" if len(orders) > 1 else ""
        return TemplateResponse(
            request,
            "admin/orders/order/confirm.html",
            {
                **self.admin_site.each_context(request),
                "title": f"{action.capitalize()} {len(orders)} order{plural}",
                "opts": self.opts,
                "orders": orders,
                "form": form,
                "action": action,
                "checkbox": ACTION_CHECKBOX_NAME,
            },
        )
