"""Payments and their refunds for operators: read only. Money moves by orders and events alone."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import Q
from django.http import HttpRequest
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from notifications.admin import columns, display, related, search
from notifications.admin.filters import StateFilter
from notifications.models import Delivery, Handled
from orders_site.admin import ShopAdmin
from orders_site.orders.models import Order
from orders_site.payments.models import Payment, PaymentRefund

_TONES = {
    Payment.State.EXPECTED: display.WAITING,
    Payment.State.CHARGING: display.WAITING,
    Payment.State.COMPLETED: display.GOOD,
    Payment.State.FAILED: display.BAD,
    Payment.State.VOID: display.QUIET,
    PaymentRefund.State.DUE: display.WAITING,
    PaymentRefund.State.REFUNDING: display.WAITING,
    PaymentRefund.State.DONE: display.GOOD,
    PaymentRefund.State.COVERED: display.QUIET,
}


def badge(row: Payment | PaymentRefund) -> str:
    """The state in words, on the colour of its tone."""
    return display.badge(row.get_state_display(), tone=_TONES[row.state])


def money(field: str, title: Promise) -> columns.Column:
    """An amount in its currency; nothing where there is none."""

    def column(model_admin: Any, row: Any) -> str:
        amount = getattr(row, field)
        return display.EMPTY if amount is None else str(amount)

    column.short_description = title
    return column


def payment_badge(order: Order) -> str:
    """The state of the order's payment, leading to its page; nothing where none was begun."""
    payment = getattr(order, "payment", None)
    return display.link(display.page_url(payment), badge(payment)) if payment else display.EMPTY


class PaymentStateFilter(StateFilter):
    states = Payment.State.values

    def label(self, option: str) -> str:
        return str(Payment.State(option).label)


@admin.register(Payment)
class PaymentAdmin(ShopAdmin):
    list_display = ["number", "state_badge", "charged", "given_back", "decline_code", "age"]
    list_filter = [PaymentStateFilter]
    search_help_text = _(
        "An order's number (17, #17 or order/17), or the provider's id of a charge."
    )
    ordering = ["-id"]
    fieldsets = [
        (None, {"fields": [("order_link", "deliveries"), ("state_badge", "decline_code")]}),
        (_("Money"), {"fields": [("charged", "given_back")]}),
        (_("At the provider"), {"fields": [("key", "provider_id")]}),
        (_("When"), {"fields": [("begun", "settled"), "asking_until"]}),
    ]

    age = columns.age("created_at")
    charged = money("amount", _("amount"))
    begun = columns.moment("created_at", _("begun"))
    settled = columns.moment("settled_at", _("settled"))
    asking_until = columns.moment("lease_until", _("the provider is being asked, until"))

    @admin.display(description=_("order"))
    def number(self, payment: Payment) -> str:
        return f"#{payment.order_id}"

    @admin.display(description=_("order"))
    def order_link(self, payment: Payment) -> str:
        return display.link(display.page_url(payment.order), payment.order)

    @admin.display(description=_("state"))
    def state_badge(self, payment: Payment) -> str:
        return badge(payment)

    @admin.display(description=_("given back"))
    def given_back(self, payment: Payment) -> str:
        return str(payment.refunded) if payment.refunded_minor else display.EMPTY

    @admin.display(description=_("deliveries"))
    def deliveries(self, payment: Payment) -> str:
        told = display.list_url(Delivery, q=f"order/{payment.order_id}")
        return display.link(told, _("who was told"))

    def matching(self, term: str) -> Q:
        number = search.number(term.removeprefix("order/").removeprefix("#"))
        return Q(order_id=number) if number is not None else Q(provider_id=term)

    def related(self, request: HttpRequest, row: Payment) -> list[related.Section]:
        subject = f"order/{row.order_id}"
        events = Handled.objects.filter(consumer="payments", subject=subject)
        more = display.list_url(Handled, q=subject)
        return [*refunds(request, row), *related.handled(request, events, more=more)]


def refunds(request: HttpRequest, payment: Payment) -> list[related.Section]:
    """What was, is or will be given back of it."""
    titles = (
        *(_("Refund"), _("State"), _("Wanted"), _("Asked for"), _("Provider's id")),
        *(_("Noted"), _("Settled")),
    )

    def cells(row: PaymentRefund) -> list[object]:
        return [
            row.key,
            badge(row),
            _("all that is left") if row.wanted is None else row.wanted,
            display.EMPTY if row.amount is None else row.amount,
            row.provider_id or display.EMPTY,
            display.exact(row.created_at),
            display.exact(row.settled_at),
        ]

    found = PaymentRefund.objects.filter(order_id=payment.order_id).select_related("order")
    return related.section(request, _("Refunds"), titles, found.order_by("pk"), cells)


@admin.register(PaymentRefund)
class PaymentRefundAdmin(ShopAdmin):
    list_display = ["key", "number", "state_badge", "asked_for", "given_back", "age"]
    list_select_related = ["order"]
    search_help_text = _("An order's number (17, #17 or order/17), or a refund's key.")
    ordering = ["-id"]
    fieldsets = [
        (None, {"fields": [("key", "order_link"), "state_badge"]}),
        (_("Money"), {"fields": [("asked_for", "given_back")]}),
        (_("At the provider"), {"fields": ["provider_id"]}),
        (_("When"), {"fields": [("noted", "settled")]}),
    ]

    age = columns.age("created_at")
    asked_for = money("wanted", _("wanted"))
    given_back = money("amount", _("amount"))
    noted = columns.moment("created_at", _("noted"))
    settled = columns.moment("settled_at", _("settled"))

    @admin.display(description=_("order"))
    def number(self, refund: PaymentRefund) -> str:
        return f"#{refund.order_id}"

    @admin.display(description=_("order"))
    def order_link(self, refund: PaymentRefund) -> str:
        return display.link(display.page_url(refund.order), refund.order)

    @admin.display(description=_("state"))
    def state_badge(self, refund: PaymentRefund) -> str:
        return badge(refund)

    def matching(self, term: str) -> Q:
        number = search.number(term.removeprefix("order/").removeprefix("#"))
        return Q(order_id=number) if number is not None else Q(key=term)
