"""Dispatches: what the relay has published, and what waits for it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.contrib import admin
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _

from notifications import events
from notifications.admin import columns, related, search
from notifications.admin.display import (
    EMPTY,
    ago,
    as_json,
    due,
    span,
)
from notifications.admin.facts import FactsAdmin
from notifications.admin.filters import ChoiceFilter, StateFilter, queues
from notifications.models import Dispatch


class DispatchStateFilter(StateFilter):
    states = Dispatch.State
    default = Dispatch.State.WAITING
    nothing = _("Nothing waits to be published.")


class DestinationFilter(ChoiceFilter):
    title = _("destination")
    parameter_name = column = "destination"

    def options(self) -> Iterable[str]:
        topics = {kind.topic for kind in events.all_event_types() if kind.topic}
        return [*sorted(topics), *queues()]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        found = super().queryset(request, queryset)
        return found.filter(kind=Dispatch.Kind.QUEUE) if self.value() in queues() else found


class ReasonFilter(ChoiceFilter):
    title = _("why")
    parameter_name = column = "reason"

    def options(self) -> Iterable[str]:
        return Dispatch.Reason.values

    def label(self, option: str) -> str:
        return str(Dispatch.Reason(option).label)


@admin.register(Dispatch)
class DispatchAdmin(FactsAdmin[Dispatch]):
    """Opens on what waits, the next one due first; the other states show the latest first."""

    list_display = (
        "state_badge",
        "what",
        "order",
        "why",
        "available",
        "tries",
        "error",
        "published_ago",
    )
    list_display_links = ("what",)
    list_filter = (DispatchStateFilter, DestinationFilter, ReasonFilter)
    list_defer = ("body", "attributes")
    search_help_text = _(
        "Exactly one of: an order (123, #123 or order/123), an event's id, a dispatch's number."
    )
    fieldsets = (
        (
            _("What"),
            {"fields": ("event_link", ("kind", "destination", "order"), ("why", "generation"))},
        ),
        (
            _("State"),
            {"fields": (("state_badge", "tries"), ("available", "lease"), "whole_error")},
        ),
        (_("When"), {"fields": (("created", "published", "lag"), "message_id")}),
        (_("Message"), {"fields": ("extra", "original")}),
    )

    state_badge = columns.state()
    order = columns.order(Dispatch)
    event_link = columns.event()
    error = columns.short("last_error", _("last error"))
    whole_error = columns.whole("last_error", _("last error"))
    lease = columns.moment("lease_until", _("claimed until"))
    created = columns.moment("created_at", _("created"))
    published = columns.moment("published_at", _("published"))
    published_ago = columns.ago("published_at", _("published"))
    original = columns.whole("body", _("original body"))

    def get_ordering(self, request: HttpRequest) -> tuple[str, ...]:
        waiting = DispatchStateFilter.chosen(request) == Dispatch.State.WAITING
        return ("available_at", "id") if waiting else ("-id",)

    def matching(self, term: str) -> Q:
        found = Q(subject__in=search.subjects(term))
        if identifier := search.identifier(term):
            found |= Q(event_id=identifier)
        if (number := search.number(term)) is not None:
            found |= Q(pk=number)
        return found

    def related(self, request: HttpRequest, row: Dispatch) -> list[related.Section]:
        return related.of_event(request, row.event_id, but=[Dispatch])

    @admin.display(description=_("destination"))
    def what(self, dispatch: Dispatch) -> str:
        return f"{dispatch.get_kind_display()} {dispatch.destination}"

    @admin.display(description=_("why"))
    def why(self, dispatch: Dispatch) -> str:
        return dispatch.get_reason_display()

    @admin.display(description=_("available"))
    def available(self, dispatch: Dispatch) -> SafeString | str:
        waits = dispatch.state == Dispatch.State.WAITING
        return due(dispatch.available_at) if waits else ago(dispatch.available_at)

    @admin.display(description=_("from available to published"))
    def lag(self, dispatch: Dispatch) -> str:
        published = dispatch.published_at
        return span(published - dispatch.available_at if published else None)

    @admin.display(description=_("attributes"))
    def extra(self, dispatch: Dispatch) -> SafeString | str:
        return as_json(dispatch.attributes) if dispatch.attributes else EMPTY
