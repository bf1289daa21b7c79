"""Receipts: what providers said later, and what it changed."""

from __future__ import annotations

from collections.abc import Iterable

from django.contrib import admin
from django.db.models import Q
from django.http import HttpRequest
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _

from notifications.admin import columns, related, search
from notifications.admin.display import EMPTY, badge, link, page_url
from notifications.admin.facts import FactsAdmin
from notifications.admin.filters import ChoiceFilter, WithinFilter
from notifications.models import Delivery, Receipt


class KindFilter(ChoiceFilter):
    title = _("kind")
    parameter_name = column = "kind"

    def options(self) -> Iterable[str]:
        return Receipt.Kind.values


class ReceivedWithinFilter(WithinFilter):
    title = _("received")
    column = "received_at"


@admin.register(Receipt)
class ReceiptAdmin(FactsAdmin[Receipt]):
    list_display = ("kind_badge", "order", "provider", "code", "said", "moved", "received_ago")
    list_display_links = ("kind_badge",)
    list_filter = (KindFilter, ReceivedWithinFilter)
    ordering = ("-received_at", "-id")
    search_help_text = _(
        "Exactly one of: an order (123, #123 or order/123), a delivery's id or an attempt's tag."
    )
    fieldsets = (
        (
            _("What"),
            {"fields": ("about", ("order", "attempt"), ("kind_badge", "code", "moved"))},
        ),
        (_("Said"), {"fields": (("provider", "provider_message_id"), "whole_detail")}),
        (_("When"), {"fields": (("occurred", "received"),)}),
    )

    kind_badge = columns.state("kind", _("kind"))
    order = columns.order(Receipt)
    said = columns.short("detail", _("detail"))
    whole_detail = columns.whole("detail", _("detail"))
    occurred = columns.moment("occurred_at", _("by the provider's clock"))
    received = columns.moment("received_at", _("received"))
    received_ago = columns.ago("received_at", _("received"))

    def matching(self, term: str) -> Q:
        found = Q(subject__in=search.subjects(term))
        if identifier := search.identifier(term):
            found |= Q(delivery_id=identifier)
        return found

    def related(self, request: HttpRequest, row: Receipt) -> list[related.Section]:
        others = Receipt.objects.filter(delivery_id=row.delivery_id).exclude(pk=row.pk)
        return [
            *related.deliveries(request, Delivery.objects.filter(pk=row.delivery_id)),
            *related.receipts(request, others, title=_("Other receipts of this delivery")),
        ]

    @admin.display(description=_("delivery"))
    def about(self, receipt: Receipt) -> SafeString:
        return link(page_url(receipt.delivery), receipt.delivery)

    @admin.display(description=_("attempt"))
    def attempt(self, receipt: Receipt) -> str:
        return f"{receipt.generation}.{receipt.number}"

    @admin.display(description=_("made the delivery"))
    def moved(self, receipt: Receipt) -> SafeString | str:
        return badge(receipt.moved_to) if receipt.moved_to else EMPTY
