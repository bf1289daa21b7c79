"""Workers: who consumes which queues, what they hold, and who went missing."""

from __future__ import annotations

from datetime import timedelta

from django.contrib import admin
from django.db.models import Q
from django.http import HttpRequest
from django.utils import timezone
from django.utils.html import format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _

from notifications.admin import columns, search
from notifications.admin.display import EMPTY, as_json, badge, span
from notifications.admin.facts import FactsAdmin
from notifications.admin.filters import StateFilter
from notifications.admin.related import Section
from notifications.models import WorkerProcess
from notifications.models.worker_process import SILENCE


class WorkerStateFilter(StateFilter):
    states = WorkerProcess.State


@admin.register(WorkerProcess)
class WorkerProcessAdmin(FactsAdmin[WorkerProcess]):
    """A few rows for each worker: one for every start within the last days."""

    list_display = ("state_badge", "name", "size", "load", "queue_names", "beat", "problem", "age")
    list_display_links = ("name",)
    list_filter = (WorkerStateFilter,)
    ordering = ("-id",)
    search_help_text = _("Exactly a worker's name (worker@host), its host, or its id.")
    fieldsets = (
        (_("Who"), {"fields": ("name", ("host", "pid"), ("pool", "concurrency"))}),
        (_("State"), {"fields": (("state_badge", "load"), "slots_used", "whole_trouble")}),
        (_("When"), {"fields": (("started", "beat_exactly", "ended"),)}),
        (_("What it has done with messages"), {"fields": ("counted",)}),
    )

    beat = columns.ago("beat_at", _("last beat"))
    beat_exactly = columns.moment("beat_at", _("last beat"))
    started = columns.moment("started_at", _("started"))
    ended = columns.moment("ended_at", _("ended"))
    age = columns.age("started_at")
    problem = columns.short("trouble", _("trouble"))
    whole_trouble = columns.whole("trouble", _("trouble"))

    def matching(self, term: str) -> Q:
        found = Q(name=term) | Q(host=term)
        if identifier := search.identifier(term):
            found |= Q(pk=identifier)
        return found

    def related(self, request: HttpRequest, row: WorkerProcess) -> list[Section]:
        headings = (_("Queue"), _("Last poll before the beat"), _("Polls open"), _("Held by"))
        rows = [
            (queue["name"], _seconds(queue["last_poll"]), queue["under_way"], queue["held_by"])
            for queue in row.queues
        ]
        return [Section(_("Queues"), headings, rows)] if rows else []

    @admin.display(description=_("state"))
    def state_badge(self, row: WorkerProcess) -> SafeString:
        """As nobody may have noticed yet: a process that fell silent is shown as lost."""
        silent = row.state in WorkerProcess.ALIVE and timezone.now() - row.beat_at > SILENCE
        return badge(WorkerProcess.State.LOST if silent else row.state)

    @admin.display(description=_("pool"))
    def size(self, row: WorkerProcess) -> str:
        return f"{row.pool} {row.concurrency}"

    @admin.display(description=_("running / held / slots"))
    def load(self, row: WorkerProcess) -> str:
        return f"{row.running} / {row.held} / {row.slots}"

    @admin.display(description=_("queues"))
    def queue_names(self, row: WorkerProcess) -> SafeString | str:
        return format_html_join(", ", "{}", ((queue["name"],) for queue in row.queues)) or EMPTY

    @admin.display(description=_("messages"))
    def counted(self, row: WorkerProcess) -> SafeString | str:
        return as_json(row.counts)


def _seconds(age: float | None) -> str:
    return EMPTY if age is None else span(timedelta(seconds=age))
