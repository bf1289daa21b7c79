"""Scheduled events: what is to be recorded later; the buttons call it off, or have it done now."""

from __future__ import annotations

from django.contrib import admin
from django.db.models import Q
from django.http import HttpRequest
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _

from notifications import schedule
from notifications.admin import columns, search
from notifications.admin.display import EMPTY, ago, as_json, due, two_lines
from notifications.admin.filters import EventTypeFilter, StateFilter
from notifications.admin.moves import Move, MovingAdmin
from notifications.models import ScheduledEvent

State = ScheduledEvent.State


class ScheduledStateFilter(StateFilter):
    states = State
    default = State.WAITING
    nothing = _("Nothing is scheduled.")


def _call_off(row: ScheduledEvent, by: str, reason: str) -> str:
    return schedule.call_off_one(row.pk, by=by, reason=reason)


def _bring_forward(row: ScheduledEvent, by: str, reason: str) -> str:
    return schedule.bring_forward(row.pk, by=by, reason=reason)


def _is_open(row: ScheduledEvent) -> bool:
    return row.state in ScheduledEvent.OPEN


@admin.register(ScheduledEvent)
class ScheduledEventAdmin(MovingAdmin[ScheduledEvent]):
    """Opens on what waits, the next one due first. `manage.py scheduled` does the same."""

    list_display = ("state_badge", "what", "due_when", "order", "error_short")
    list_display_links = ("what",)
    list_filter = (ScheduledStateFilter, EventTypeFilter)
    list_defer = ("data",)
    export_columns = (
        *("id", "state", "event_type", "version", "subject", "key", "due_at", "error"),
        *("called_off_by", "created_at", "over_at"),
    )
    search_help_text = _("Exactly one of: an order (123, #123 or order/123), a number.")
    fieldsets = (
        (_("What"), {"fields": (("event_type", "version"), ("order", "key"), "facts")}),
        (_("State"), {"fields": (("state_badge", "called_off_by"), "whole_error")}),
        (_("When"), {"fields": (("due_exactly", "created", "over"),)}),
    )
    moves = (
        Move("call-off", _("Call off"), "change_scheduledevent", _call_off, _is_open),
        Move("record-now", _("Record now"), "change_scheduledevent", _bring_forward, _is_open),
    )

    state_badge = columns.state()
    order = columns.order(ScheduledEvent)
    error_short = columns.short("error", _("error"))
    whole_error = columns.whole("error", _("error"))
    due_exactly = columns.moment("due_at", _("due"))
    created = columns.moment("created_at", _("scheduled"))
    over = columns.moment("over_at", _("in this state since"))

    def get_ordering(self, request: HttpRequest) -> tuple[str, ...]:
        waiting = ScheduledStateFilter.chosen(request) == State.WAITING
        return ("look_at", "id") if waiting else ("-id",)

    def matching(self, term: str) -> Q:
        found = Q(subject__in=search.subjects(term))
        if (number := search.number(term)) is not None:
            found |= Q(pk=number)
        return found

    @admin.display(description=_("event type"))
    def what(self, row: ScheduledEvent) -> SafeString:
        return two_lines(row.event_type, row.key)

    @admin.display(description=_("due"))
    def due_when(self, row: ScheduledEvent) -> SafeString:
        ahead = row.due_at > timezone.now()
        at = f"{timezone.localtime(row.due_at):%Y-%m-%d %H:%M}"
        whole = format_html('<span class="nowrap">{}</span>', at)
        return two_lines(whole, due(row.due_at) if ahead else ago(row.due_at))

    @admin.display(description=_("facts"))
    def facts(self, row: ScheduledEvent) -> SafeString | str:
        return as_json(row.data) if row.data else EMPTY
