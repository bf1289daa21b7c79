"""Jobs: what operators have had resent, redriven and replayed, why, and how far it came."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from django.contrib import admin
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _

from notifications import jobs
from notifications.admin import columns, related, search
from notifications.admin.display import EMPTY, as_json, exact, short
from notifications.admin.facts import FactsAdmin
from notifications.admin.filters import ChoiceFilter, StateFilter
from notifications.models import Job, JobEntry, JobItem


class KindFilter(ChoiceFilter):
    title = _("kind")
    parameter_name = column = "kind"

    def options(self) -> Iterable[str]:
        return Job.Kind.values


class JobStateFilter(StateFilter):
    states = Job.State


@admin.register(Job)
class JobAdmin(FactsAdmin[Job]):
    """The latest first. `manage.py jobs` stops and cancels, `--job` of its command goes on."""

    list_display = ("number", "kind", "state_badge", "so_far", "why", "actor", "begun", "moved")
    list_display_links = ("number",)
    list_filter = (JobStateFilter, KindFilter)
    ordering = ("-id",)
    search_help_text = _("Exactly one of: a job's number, a delivery's id, an order (order/123).")
    fieldsets = (
        (_("What"), {"fields": (("number", "kind", "override"), "wanted")}),
        (_("Why"), {"fields": (("actor", "why"),)}),
        (_("State"), {"fields": (("state_badge", "so_far"), ("total", "rate"), "stage")}),
        (_("When"), {"fields": (("created", "moved_exactly", "finished"),)}),
    )

    state_badge = columns.state()
    why = columns.short("reason", _("reason"))
    begun = columns.ago("created_at", _("begun"))
    moved = columns.ago("moved_at", _("last step"))
    created = columns.moment("created_at", _("begun"))
    moved_exactly = columns.moment("moved_at", _("last step"))
    finished = columns.moment("finished_at", _("finished"))

    def matching(self, term: str) -> Q:
        about = Q(subject__in=search.subjects(term))
        if identifier := search.identifier(term):
            about |= Q(delivery_id=identifier) | Q(event_id=identifier)
        found = Q(pk__in=JobItem.objects.filter(about).values("job_id")[: search.MAX_FOLLOWED])
        if (number := search.number(term)) is not None:
            found |= Q(pk=number)
        return found

    def related(self, request: HttpRequest, row: Job) -> list[related.Section]:
        return [*_log(request, row), *related.mended(request, row.items.all(), by_job=True)]

    @admin.display(description=_("job"))
    def number(self, job: Job) -> str:
        return str(job.pk)

    @admin.display(description=_("so far"))
    def so_far(self, job: Job) -> str:
        return jobs.summary(job)

    @admin.display(description=_("filter"))
    def wanted(self, job: Job) -> SafeString | str:
        return as_json(job.filter) if job.filter else EMPTY


def _log(request: HttpRequest, job: Job) -> list[related.Section]:
    titles = (_("When"), _("What"), _("Who"))

    def cells(row: JobEntry) -> Sequence[object]:
        return exact(row.at), short(row.text), row.by or EMPTY

    found: QuerySet[JobEntry] = job.log.order_by("-id")
    return related.section(request, _("Log, the latest first"), titles, found, cells)
