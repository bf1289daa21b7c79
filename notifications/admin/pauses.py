"""Pauses: what operators hold now, and what they have held before."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.contrib import admin
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _

from notifications.admin import columns
from notifications.admin.display import badge, state_label
from notifications.admin.facts import FactsAdmin
from notifications.admin.filters import ChoiceFilter
from notifications.models import Pause

IN_FORCE, OVER = "in_force", "over"


class InForceFilter(ChoiceFilter):
    title = _("state")
    parameter_name = column = "state"
    default = IN_FORCE
    nothing = _("Nothing is paused.")

    def options(self) -> Iterable[str]:
        return [IN_FORCE, OVER]

    def label(self, option: str) -> str:
        return state_label(option)

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        chosen = self.value()
        return queryset if chosen is None else queryset.filter(_is(chosen))


class KindFilter(ChoiceFilter):
    title = _("kind")
    parameter_name = column = "kind"

    def options(self) -> Iterable[str]:
        return Pause.Kind.values

    def label(self, option: str) -> str:
        return str(Pause.Kind(option).label)


@admin.register(Pause)
class PauseAdmin(FactsAdmin[Pause]):
    """Opens on what is held now, the latest first. The console's pages of the queues, event types
    and providers pause and resume, and so does `manage.py queues`."""

    list_display = ("state", "kind", "name", "reason", "paused_by", "paused_ago", "resumed_ago")
    list_display_links = ("name",)
    list_filter = (InForceFilter, KindFilter)
    ordering = ("-id",)
    search_help_text = _(
        "Exactly the name of a queue, a channel, an event type, a template (order.created/email) "
        "or a provider's account."
    )
    fieldsets = (
        (_("What"), {"fields": (("state", "kind", "name"), "reason")}),
        (_("Paused"), {"fields": (("paused", "paused_by"),)}),
        (_("Resumed"), {"fields": (("resumed", "resumed_by"),)}),
    )

    paused = columns.moment("paused_at", _("when"))
    paused_ago = columns.ago("paused_at", _("paused"))
    resumed = columns.moment("resumed_at", _("when"))
    resumed_ago = columns.ago("resumed_at", _("resumed"))

    def matching(self, term: str) -> Q:
        return Q(name=term)

    @admin.display(description=columns.STATE)
    def state(self, pause: Pause) -> SafeString:
        return badge(IN_FORCE if pause.resumed_at is None else OVER)


def _is(state: str) -> Q:
    return Q(resumed_at__isnull=state == IN_FORCE)
