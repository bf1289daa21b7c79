"""Products and orders for operators. Orders change through the services only, by POST."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.db import transaction
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.functional import Promise
from django.utils.translation import gettext, ngettext_lazy
from django.utils.translation import gettext_lazy as _

from notifications import audit
from notifications.admin import display, search
from notifications.admin.filters import StateFilter
from notifications.models import Delivery
from orders_site.admin import EditableAdmin, ShopAdmin
from orders_site.forms import SeenForm
from orders_site.orders.exceptions import OrderError
from orders_site.orders.forms import CancelForm, RefundForm, ShipForm
from orders_site.orders.models import Order, OrderLine, Product, Refund
from orders_site.orders.services import cancel_order, refund_order, ship_order
from orders_site.payments.admin import badge, money, payment_badge
from orders_site.payments.models import PaymentRefund

MAX_AT_ONCE = 50

WAYS = {"ship": _("Ship"), "refund": _("Refund"), "cancel": _("Cancel")}
TITLES = {
    "ship": ngettext_lazy("Ship %(count)d order", "Ship %(count)d orders", "count"),
    "refund": ngettext_lazy("Refund %(count)d order", "Refund %(count)d orders", "count"),
    "cancel": ngettext_lazy("Cancel %(count)d order", "Cancel %(count)d orders", "count"),
}

Done = dict[str, str]
"""What is audited of an action beside the order's state."""


@admin.register(Product)
class ProductAdmin(EditableAdmin):
    form = SeenForm
    change_form_template = "admin/shop/editable.html"
    fields = ["sku", "name", "price_minor", "currency"]
    list_display = ["sku", "name", "price_shown"]
    search_help_text = _("The whole SKU.")
    ordering = ["sku"]

    price_shown = money("price", _("price"))

    def matching(self, term: str) -> Q:
        return Q(sku__in={term, term.upper()})


class OrderStateFilter(StateFilter):
    states = Order.State.values

    def label(self, option: str) -> str:
        return str(Order.State(option).label)


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
    fields = readonly_fields = ["sku", "name", "quantity", "price_each", "price"]

    price_each = money("unit_price", _("unit price"))
    price = money("total", _("total"))


class RefundInline(ReadInline):
    """What the shop said that it owes back."""

    model = Refund
    fields = readonly_fields = ["given_back", "reason", "refunded_at"]

    given_back = money("amount", _("amount"))


class PaymentRefundInline(ReadInline):
    """What came of it, and of a cancellation."""

    model = PaymentRefund
    fields = readonly_fields = ["key", "state_badge", "asked_for", "given_back", "settled_at"]
    asked_for = money("wanted", _("wanted"))
    given_back = money("amount", _("amount"))

    @admin.display(description=_("state"))
    def state_badge(self, refund: PaymentRefund) -> str:
        return badge(refund)


@admin.register(Order)
class OrderAdmin(ShopAdmin):
    list_display = ["number", "state_badge", "customer", "price", "paid", "age", "deliveries"]
    list_filter = [OrderStateFilter]
    list_select_related = ["customer", "payment"]
    search_help_text = _(
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
                    "price",
                    "placed_at",
                    "stock",
                    "deliveries",
                    "timeline",
                ]
            },
        ),
        (_("Payment"), {"fields": ["paid", "refunded"]}),
        (_("Shipment"), {"fields": ["carrier", "tracking_code", "shipped_at"]}),
        (_("Cancellation"), {"fields": ["cancel_reason", "cancelled_at"]}),
    ]

    price = money("total", _("total"))

    @admin.display(description=_("order"))
    def number(self, order: Order) -> str:
        return f"#{order.pk}"

    @admin.display(description=_("state"))
    def state_badge(self, order: Order) -> str:
        return display.badge(order.get_state_display(), tone=display.QUIET)

    @admin.display(description=_("age"))
    def age(self, order: Order) -> str:
        return display.age(order.placed_at)

    @admin.display(description=_("deliveries"))
    def deliveries(self, order: Order) -> str:
        told = display.list_url(Delivery, q=f"order/{order.pk}")
        return display.link(told, _("who was told"))

    @admin.display(description=_("timeline"))
    def timeline(self, order: Order) -> str:
        url = reverse("admin:console_timeline_of", args=[f"order/{order.pk}"])
        return display.link(url, _("what happened, and whom it reached"))

    @admin.display(description=_("payment"))
    def paid(self, order: Order) -> str:
        return payment_badge(order)

    @admin.display(description=_("stock"))
    def stock(self, order: Order) -> str:
        reservation = getattr(order, "reservation", None)
        if reservation is None:
            return display.EMPTY
        return display.link(
            display.page_url(reservation),
            display.badge(reservation.get_state_display(), tone=display.QUIET),
        )

    def matching(self, term: str) -> Q:
        if "@" in term:
            return Q(customer__email__in={term, term.lower()})
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
            (action, WAYS[action])
            for action, possible in (
                ("ship", order.can_ship),
                ("refund", order.refundable.amount > 0),
                ("cancel", order.can_cancel),
            )
            if possible and action in self.get_actions(request)
        ]
        return super().render_change_form(request, context, *args, **kwargs)

    @admin.action(description=_("Ship the selected orders"), permissions=["ship"])
    def ship(self, request: HttpRequest, queryset: QuerySet[Order]) -> HttpResponse | None:
        def apply(order: Order, form: ShipForm) -> Done:
            carrier = form.cleaned_data["carrier"]
            ship_order(order=order, tracking_code=form.tracking_code(order), carrier=carrier)
            return {"carrier": carrier}

        return self._asked_first(
            request, queryset, ShipForm, "ship", _("Order %(number)s is shipped."), apply
        )

    @admin.action(description=_("Refund the selected orders"), permissions=["refund"])
    def refund(self, request: HttpRequest, queryset: QuerySet[Order]) -> HttpResponse | None:
        def apply(order: Order, form: RefundForm) -> Done:
            amount = form.amount(order)
            refund_order(
                order=order,
                amount=amount,
                reason=form.cleaned_data["reason"],
                left=form.left(order),
            )
            return {"refunded": f"{amount.major} {amount.currency}"}

        return self._asked_first(
            request, queryset, RefundForm, "refund", _("Order %(number)s is refunded."), apply
        )

    @admin.action(description=_("Cancel the selected orders"), permissions=["cancel"])
    def cancel(self, request: HttpRequest, queryset: QuerySet[Order]) -> HttpResponse | None:
        def apply(order: Order, form: CancelForm) -> Done:
            cancel_order(order=order, reason=form.cleaned_data["reason"])
            return {}

        return self._asked_first(
            request, queryset, CancelForm, "cancel", _("Order %(number)s is cancelled."), apply
        )

    def _asked_first(
        self,
        request: HttpRequest,
        queryset: QuerySet[Order],
        form_class: type[ShipForm] | type[RefundForm] | type[CancelForm],
        action: str,
        done: Promise,
        apply: Callable[[Order, Any], Done],
    ) -> HttpResponse | None:
        """A form in between; then each order in its own transaction, refusals told one by one."""
        orders = list(queryset.order_by("pk")[: MAX_AT_ONCE + 1])
        if len(orders) > MAX_AT_ONCE:
            messages.error(
                request, gettext("Choose at most %(most)d orders at once.") % {"most": MAX_AT_ONCE}
            )
            return None
        confirmed = "confirmed" in request.POST
        form = form_class(orders, request.POST if confirmed else None)
        if not (confirmed and form.is_valid()):
            return self._ask(request, orders, form, action)
        for order in orders:
            try:
                with transaction.atomic():
                    before = order.state
                    done_so = apply(order, form)
                    audit.record(
                        f"order.{action}",
                        by=request.user.get_username(),
                        reason=form.cleaned_data.get("reason", ""),
                        target=order,
                        subject=f"order/{order.pk}",
                        before={"state": before},
                        after={"state": order.state, **done_so},
                    )
            except OrderError as refusal:
                messages.error(request, str(refusal))
            else:
                messages.success(request, done % {"number": order.pk})
        return None

    def _ask(
        self, request: HttpRequest, orders: list[Order], form: forms.Form, action: str
    ) -> HttpResponse:
        return TemplateResponse(
            request,
            "admin/orders/order/confirm.html",
            {
                **self.admin_site.each_context(request),
                "title": TITLES[action] % {"count": len(orders)},
                "way": WAYS[action],
                "opts": self.opts,
                "orders": orders,
                "form": form,
                "action": action,
                "checkbox": ACTION_CHECKBOX_NAME,
            },
        )
