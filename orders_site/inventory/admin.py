"""Stock and reservations for operators. Stock is corrected with a reason; orders move the rest."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db import transaction
from django.db.models import Q, QuerySet
from django.forms import ModelForm
from django.http import HttpRequest
from django.utils.safestring import SafeString
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from notifications import audit
from notifications.admin import display, search
from notifications.admin.filters import ChoiceFilter, StateFilter
from notifications.admin.related import Section
from notifications.redaction import redact
from orders_site.admin import EditableAdmin, ShopAdmin
from orders_site.inventory.forms import StockForm
from orders_site.inventory.models import Reservation, ReservationLine, StockItem
from orders_site.inventory.services import correct_stock, stock_product


class LowFilter(ChoiceFilter):
    title = _("stock")
    parameter_name = "stock"

    def options(self) -> list[str]:
        return ["low"]

    def label(self, option: str) -> str:
        return gettext("low")

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        return queryset.exclude(low_since=None) if self.value() == "low" else queryset


@admin.register(StockItem)
class StockItemAdmin(EditableAdmin):
    form = StockForm
    audits_itself = True
    list_display = ["sku", "product", "on_hand", "reserved", "reorder_threshold", "low"]
    list_filter = [LowFilter]
    list_select_related = ["product"]
    search_help_text = _("The whole SKU.")
    ordering = ["id"]
    autocomplete_fields = ["product"]
    asked = ["product", "on_hand", "reorder_threshold", "reason", "shown", "corrections"]

    def note(self, request: HttpRequest) -> str:
        return gettext(
            "On hand is what can still be promised. Reserved was taken for orders that have not "
            "left yet, and is no longer on hand."
        )

    def matching(self, term: str) -> Q:
        return Q(product__sku__in={term, term.upper()})

    def prepare(self, rows: list[StockItem]) -> None:
        reserved = ReservationLine.objects.reserved(rows)
        for row in rows:
            row.reserved = reserved.get(row.pk, 0)

    @admin.display(description=_("SKU"))
    def sku(self, item: StockItem) -> str:
        return item.product.sku

    @admin.display(description=_("reserved"))
    def reserved(self, item: StockItem) -> int:
        return item.reserved

    @admin.display(description=_("low"))
    def low(self, item: StockItem) -> SafeString | str:
        return display.ago(item.low_since)

    def get_fields(self, request: HttpRequest, obj: StockItem | None = None) -> list[str]:
        if obj is not None and not self.has_change_permission(request, obj):
            return ["product", "on_hand", "reorder_threshold", "low_since"]
        return self.asked

    def get_readonly_fields(self, request: HttpRequest, obj: StockItem | None = None) -> list[str]:
        return ["product", "low_since"] if obj is not None else []

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False  # reservations name it; with a threshold of 0 it is never low

    def save_model(
        self, request: HttpRequest, obj: StockItem, form: ModelForm, change: bool
    ) -> None:
        threshold = form.cleaned_data["reorder_threshold"]
        with transaction.atomic():
            before = StockItem.objects.locked().filter(pk=obj.pk).first() if change else None
            if change:
                item = correct_stock(item=obj, by=form.by, reorder_threshold=threshold)
            else:
                item = stock_product(
                    product=obj.product,
                    on_hand=form.cleaned_data["on_hand"],
                    reorder_threshold=threshold,
                )
            audit.record(
                "stock.correct" if change else "stock.begin",
                by=request.user.get_username(),
                reason=form.cleaned_data["reason"],
                target=item,
                subject=f"sku/{item.product.sku}",
                before=_pieces(before) if before else {},
                after=_pieces(item),
            )
        obj.pk, obj.on_hand, obj.low_since = item.pk, item.on_hand, item.low_since

    def construct_change_message(
        self, request: HttpRequest, form: ModelForm, formsets: Any, add: bool = False
    ) -> str:
        """What the history keeps: the correction and its reason."""
        return (
            f"{form.by:+,} pieces, {form.instance.on_hand:,} on hand, threshold "
            f"{form.instance.reorder_threshold:,}: {redact(form.cleaned_data['reason'])}"
        )


def _pieces(item: StockItem) -> dict[str, int]:
    return {"on_hand": item.on_hand, "reorder_threshold": item.reorder_threshold}


class ReservationStateFilter(StateFilter):
    states = Reservation.State.values

    def label(self, option: str) -> str:
        return str(Reservation.State(option).label)


@admin.register(Reservation)
class ReservationAdmin(ShopAdmin):
    """What each order took. Read only: orders make and cancel them."""

    list_display = ["order", "state_badge", "short", "made", "released"]
    list_filter = [ReservationStateFilter]
    list_select_related = ["order"]
    search_help_text = _("An order's number (17, #17 or order/17).")
    ordering = ["-id"]
    fieldsets = [
        (None, {"fields": ["order", "state_badge", "short", "made_exactly", "released_exactly"]})
    ]

    def matching(self, term: str) -> Q:
        number = search.number(term.removeprefix("order/").removeprefix("#"))
        return Q(order_id=number) if number is not None else Q(pk__in=[])

    def related(self, request: HttpRequest, row: Reservation) -> list[Section]:
        lines = row.lines.order_by("item_id").select_related("item__product")
        taken = [(line.item.product.sku, line.item.product.name, line.quantity) for line in lines]
        return [Section(_("Taken from stock"), (_("SKU"), _("Product"), _("Pieces")), taken)]

    @admin.display(description=_("state"))
    def state_badge(self, reservation: Reservation) -> SafeString:
        return display.badge(reservation.get_state_display(), tone=display.QUIET)

    @admin.display(description=_("short of"))
    def short(self, reservation: Reservation) -> str:
        return ", ".join(reservation.short_of) or display.EMPTY

    @admin.display(description=_("made"))
    def made(self, reservation: Reservation) -> SafeString | str:
        return display.ago(reservation.made_at)

    @admin.display(description=_("made"))
    def made_exactly(self, reservation: Reservation) -> SafeString | str:
        return display.exact(reservation.made_at)

    @admin.display(description=_("released"))
    def released(self, reservation: Reservation) -> SafeString | str:
        return display.ago(reservation.released_at)

    @admin.display(description=_("released"))
    def released_exactly(self, reservation: Reservation) -> SafeString | str:
        return display.exact(reservation.released_at)
