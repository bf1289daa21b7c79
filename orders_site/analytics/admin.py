"""The days' figures, readable at a glance. Nothing here is changed by hand."""

from __future__ import annotations

from datetime import date

from django.contrib import admin
from django.db.models import Q, prefetch_related_objects
from django.http import HttpRequest
from django.utils.html import format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from notifications.admin import display
from orders_site.admin import ShopAdmin
from orders_site.analytics import words
from orders_site.analytics.models import DailyFigures


@admin.register(DailyFigures)
class DailyFiguresAdmin(ShopAdmin):
    """The latest day first. `manage.py rollup` computes them; so do the relays, every minute."""

    list_display = [
        "day",
        "placed",
        "shipped",
        "cancelled",
        "revenue",
        "refunds",
        "declined",
        "notified",
        "as_of",
    ]
    ordering = ["-day"]
    search_help_text = _("A day: 2026-11-25.")
    fieldsets = [
        (None, {"fields": [("day", "events", "as_of")]}),
        (
            _("Orders"),
            {"fields": [("orders_placed", "orders_shipped", "orders_cancelled"), "ordered"]},
        ),
        (_("Payments"), {"fields": ["revenue", "refunds", "payments_failed"]}),
        (_("Notifications"), {"fields": ["notified"]}),
    ]

    def note(self, request: HttpRequest) -> str:
        return gettext(
            "Days of the shop's time zone. Revenue is what was charged; refunds are what was owed "
            "back, that of cancelled orders too. Notifications count on the day they were made."
        )

    def prepare(self, rows: list[DailyFigures]) -> None:
        prefetch_related_objects(rows, "money", "outcomes")

    def matching(self, term: str) -> Q:
        try:
            return Q(day=date.fromisoformat(term))
        except ValueError:
            return Q(pk__in=[])

    @admin.display(description=_("placed"))
    def placed(self, figures: DailyFigures) -> str:
        return f"{figures.orders_placed:,}"

    @admin.display(description=_("shipped"))
    def shipped(self, figures: DailyFigures) -> str:
        return f"{figures.orders_shipped:,}"

    @admin.display(description=_("cancelled"))
    def cancelled(self, figures: DailyFigures) -> str:
        return f"{figures.orders_cancelled:,}"

    @admin.display(description=_("declined"))
    def declined(self, figures: DailyFigures) -> str:
        return f"{figures.payments_failed:,}"

    @admin.display(description=_("ordered"))
    def ordered(self, figures: DailyFigures) -> SafeString | str:
        return _lines(words.amounts(figures.money.all(), "ordered_minor"))

    @admin.display(description=_("revenue"))
    def revenue(self, figures: DailyFigures) -> SafeString | str:
        return _lines(words.amounts(figures.money.all(), "revenue_minor"))

    @admin.display(description=_("refunds"))
    def refunds(self, figures: DailyFigures) -> SafeString | str:
        return _lines(words.amounts(figures.money.all(), "refunds_minor"))

    @admin.display(description=_("notifications"))
    def notified(self, figures: DailyFigures) -> SafeString | str:
        told = words.by_channel(figures.outcomes.all())
        return _lines([f"{channel}: {counts}" for channel, counts in told.items()])

    @admin.display(description=_("computed"))
    def as_of(self, figures: DailyFigures) -> SafeString | str:
        return gettext("due") if figures.stale else display.ago(figures.computed_at)


def _lines(texts: list[str]) -> SafeString | str:
    line = '<span class="notifications-line">{}</span>'
    return format_html_join("", line, ((text,) for text in texts)) or display.EMPTY
