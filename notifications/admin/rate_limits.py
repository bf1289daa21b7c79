"""Rate limits: what each provider account may be sent, who changed it and why."""

from __future__ import annotations

import math

from django.contrib import admin
from django.db.models import Q
from django.http import HttpRequest
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from notifications.admin import columns
from notifications.admin.display import EMPTY
from notifications.admin.facts import FactsAdmin
from notifications.models import RateLimit
from notifications.rate_limits import in_words


@admin.register(RateLimit)
class RateLimitAdmin(FactsAdmin[RateLimit]):
    """Every account that ever had a limit: there are as many as the shop has providers."""

    list_display = (
        "account",
        "limit",
        "by_its_task",
        "by_an_operator",
        "burst_shown",
        "granted",
        "changed_ago",
        "changed_by",
    )
    ordering = ("account",)
    search_help_text = _("Exactly an account's name.")
    fieldsets = (
        (_("What"), {"fields": ("account",)}),
        (_("Limit"), {"fields": ("limit", ("by_its_task", "by_an_operator"), "burst_shown")}),
        (_("Use"), {"fields": (("granted", "next_due"),)}),
        (_("Last change"), {"fields": (("changed", "changed_by"), "whole_reason")}),
    )

    next_due = columns.moment("next_at", _("next unit due"))
    changed = columns.moment("changed_at", _("changed"))
    changed_ago = columns.ago("changed_at", _("changed"))
    whole_reason = columns.whole("reason", _("reason"))

    def matching(self, term: str) -> Q:
        return Q(account=term)

    def note(self, request: HttpRequest) -> str:
        return gettext(
            "Units over all workers together. The console's page of the providers changes a limit, "
            "and so does “manage.py rate_limits set”."
        )

    @admin.display(description=_("limit now"))
    def limit(self, row: RateLimit) -> str:
        return in_words(row.effective)

    @admin.display(description=_("declared by its task"))
    def by_its_task(self, row: RateLimit) -> str:
        return in_words(row.declared)

    @admin.display(description=_("set by an operator"))
    def by_an_operator(self, row: RateLimit) -> str:
        if row.override is None:
            return EMPTY
        return in_words(None if row.override == math.inf else row.override)

    @admin.display(description=_("at once after a rest"))
    def burst_shown(self, row: RateLimit) -> int:
        return row.burst or 1
