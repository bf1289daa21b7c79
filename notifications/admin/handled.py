"""The inbox: what each service consumer did with each event."""

from __future__ import annotations

from collections.abc import Iterable

from django.contrib import admin
from django.db.models import Q
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from notifications.admin import columns, related, search
from notifications.admin.display import EMPTY, span
from notifications.admin.facts import FactsAdmin
from notifications.admin.filters import ChoiceFilter, ConsumerFilter
from notifications.models import Handled


class OutcomeFilter(ChoiceFilter):
    title = _("outcome")
    parameter_name = column = "outcome"

    def options(self) -> Iterable[str]:
        return Handled.Outcome.values


@admin.register(Handled)
class HandledAdmin(FactsAdmin[Handled]):
    list_display = (
        "state",
        "consumer",
        "event_type",
        "order",
        "attempts",
        "error",
        "done_ago",
        "age",
    )
    list_display_links = ("consumer",)
    list_filter = (OutcomeFilter, ConsumerFilter)
    ordering = ("-id",)
    search_help_text = _("Exactly one of: an order (123, #123 or order/123), an event's id.")
    fieldsets = (
        (
            _("What"),
            {"fields": ("event_link", ("consumer", "event_type", "order", "generation"))},
        ),
        (_("State"), {"fields": (("state", "attempts", "starts"), "whole_error")}),
        (_("When"), {"fields": (("happened", "received"), ("done", "lag"))}),
    )

    state = columns.state("outcome", _("outcome"))
    order = columns.order(Handled)
    event_link = columns.event()
    error = columns.short("last_error", _("last error"))
    whole_error = columns.whole("last_error", _("last error"))
    happened = columns.moment("event_time", _("event happened"))
    received = columns.moment("received_at", _("received"))
    done = columns.moment("done_at", _("done"))
    done_ago = columns.ago("done_at", _("done"))
    age = columns.age("received_at")

    def matching(self, term: str) -> Q:
        found = Q(subject__in=search.subjects(term))
        if identifier := search.identifier(term):
            found |= Q(event_id=identifier)
        return found

    def related(self, request: HttpRequest, row: Handled) -> list[related.Section]:
        return related.of_event(request, row.event_id, but=[Handled])

    @admin.display(description=_("from event to done"))
    def lag(self, row: Handled) -> str:
        if row.done_at is None or row.event_time is None:
            return EMPTY
        return span(row.done_at - row.event_time)
