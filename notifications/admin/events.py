"""Events: what happened, whom it was meant to reach, and whom it reached."""

from __future__ import annotations

from django.contrib import admin
from django.db.models import Q
from django.http import HttpRequest
from django.utils.html import format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from notifications import consumers, edits
from notifications.admin import columns, related, search
from notifications.admin.display import EMPTY, as_json, badge, link, page_url, span
from notifications.admin.facts import FactsAdmin
from notifications.admin.filters import EventTypeFilter, WithinFilter
from notifications.models import Announcement, Delivery, Event, Handled


class TypeFilter(EventTypeFilter):
    parameter_name = column = "type"


class RecordedFilter(WithinFilter):
    title = _("recorded")
    column = "recorded_at"


@admin.register(Event)
class EventAdmin(FactsAdmin[Event]):
    list_display = ("type", "order", "meant_for", "source", "happened", "age")
    list_filter = (TypeFilter, RecordedFilter)
    list_defer = ("data",)
    ordering = ("-recorded_at", "-id")
    search_help_text = _("Exactly one of: an order (123, #123 or order/123), an event's id.")
    fieldsets = (
        (_("What"), {"fields": (("type", "version", "order"), "part_of", "payload")}),
        (_("When"), {"fields": (("happened", "recorded", "delay"),)}),
        (_("From"), {"fields": (("source", "recorded_by"), "id", "traceparent")}),
    )

    order = columns.order(Event)
    happened = columns.moment("time", _("happened"))
    recorded = columns.moment("recorded_at", _("recorded"))
    age = columns.age("recorded_at")

    def matching(self, term: str) -> Q:
        found = Q(subject__in=search.subjects(term))
        if identifier := search.identifier(term):
            found |= Q(pk=identifier)
        return found

    def related(self, request: HttpRequest, row: Event) -> list[related.Section]:
        return [_reached(request, row), *related.of_event(request, row.pk)]

    @admin.display(description=_("part of"))
    def part_of(self, event: Event) -> SafeString | str:
        if event.announcement_id is None:
            return EMPTY
        url = page_url(Announcement(pk=event.announcement_id))
        return link(url, gettext("announcement %(number)d") % {"number": event.announcement_id})

    @admin.display(description=_("meant for"))
    def meant_for(self, event: Event) -> str:
        return ", ".join(event.expected) or EMPTY

    @admin.display(description=_("recorded by"))
    def recorded_by(self, event: Event) -> str:
        if event.foreign:
            return gettext("a consumer: its publisher is not this project")
        return gettext("its publisher, this project")

    @admin.display(description=_("from happening to being recorded"))
    def delay(self, event: Event) -> str:
        return span(event.recorded_at - event.time)

    @admin.display(description=_("data"))
    def payload(self, event: Event) -> SafeString | str:
        return as_json(edits.masked(event.type, event.data))


def _reached(request: HttpRequest, event: Event) -> related.Section:
    """The consumers it was meant to reach, each with what is known there."""
    states: dict[str, list[str]] = {name: [] for name in event.expected}
    if related.may_view(request, Delivery):
        channels = {entry.channel: entry.name for entry in consumers.all_consumers()}
        told = Delivery.objects.filter(event_id=event.pk).order_by("id")
        for channel, state in told.values_list("channel", "state")[: related.LIMIT]:
            states.setdefault(channels.get(channel, channel), []).append(state)
    if related.may_view(request, Handled):
        done = Handled.objects.filter(event_id=event.pk).order_by("id")
        for consumer, outcome in done.values_list("consumer", "outcome")[: related.LIMIT]:
            states.setdefault(consumer, []).append(outcome)
    rows = [(name, _badges(found)) for name, found in sorted(states.items())]
    return related.Section(_("Consumers"), (_("Consumer"), _("What became of it")), rows)


def _badges(states: list[str]) -> SafeString | str:
    return format_html_join(" ", "{}", ((badge(state),) for state in states)) or EMPTY
