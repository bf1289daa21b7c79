"""Breakers: which provider accounts are left alone now, since when and why."""

from __future__ import annotations

from django.contrib import admin
from django.db.models import Q
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _

from notifications.admin import columns
from notifications.admin.display import EMPTY, due
from notifications.admin.facts import FactsAdmin
from notifications.admin.filters import StateFilter
from notifications.models import Breaker


class BreakerStateFilter(StateFilter):
    states = Breaker.State


@admin.register(Breaker)
class BreakerAdmin(FactsAdmin[Breaker]):
    """Every account that ever failed: there are as many as the shop has providers."""

    list_display = ("account", "state_badge", "failures", "error", "opened", "probe", "changed_ago")
    list_filter = (BreakerStateFilter,)
    ordering = ("account",)
    search_help_text = _("Exactly an account's name.")
    fieldsets = (
        (_("What"), {"fields": ("account",)}),
        (_("State"), {"fields": (("state_badge", "failures", "openings"), "whole_error")}),
        (_("When"), {"fields": (("opened_exactly", "changed"), ("probe_exactly", "lease"))}),
    )

    state_badge = columns.state()
    error = columns.short("last_error", _("last error"))
    whole_error = columns.whole("last_error", _("last error"))
    opened = columns.ago("opened_at", _("opened"))
    opened_exactly = columns.moment("opened_at", _("opened"))
    probe_exactly = columns.moment("probe_at", _("next probe"))
    lease = columns.moment("probe_until", _("probe is one worker's until"))
    changed = columns.moment("updated_at", _("changed"))
    changed_ago = columns.ago("updated_at", _("changed"))

    def matching(self, term: str) -> Q:
        return Q(account=term)

    @admin.display(description=_("next probe"))
    def probe(self, breaker: Breaker) -> SafeString | str:
        return due(breaker.probe_at) if breaker.probe_at else EMPTY
