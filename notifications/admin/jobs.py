"""Jobs: bulk work, why it was begun, how far it is, and the buttons that pause it and go on."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from datetime import timedelta
from typing import Any

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.db.models import Q, QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_POST

from notifications import jobs, undertakings
from notifications.admin import columns, related, search
from notifications.admin.display import (
    EMPTY,
    SENTENCE,
    as_json,
    badge,
    exact,
    link,
    page_url,
    short,
    span,
    two_lines,
)
from notifications.admin.filters import ChoiceFilter, StateFilter
from notifications.admin.moves import Move, MovingAdmin
from notifications.admin.permitted import refusal
from notifications.console import pages
from notifications.models import Job, JobEntry, JobItem

Runner, State = Job.Runner, Job.State

EVERY = 2
"""Seconds between two looks of a page at how far its job is."""


class KindFilter(ChoiceFilter):
    title = _("kind")
    parameter_name = column = "kind"

    def options(self) -> Iterable[str]:
        return Job.Kind.values

    def label(self, option: str) -> str:
        return str(Job.Kind(option).label)


class JobStateFilter(StateFilter):
    states = Job.State


def _refusable(verb: Callable[[Job, str, str], object]) -> Callable[[Job, str, str], str]:
    def do(job: Job, by: str, reason: str) -> str:
        try:
            verb(job, by, reason)
        except jobs.Refused as error:
            return error.message.rstrip(".")
        return ""

    return do


def _pause(job: Job, by: str, reason: str) -> None:
    jobs.halt(job.pk, by=by, why=reason)


def _cancel(job: Job, by: str, reason: str) -> None:
    jobs.halt(job.pk, by=by, why=reason, cancel=True)


def _go_on(job: Job, by: str, reason: str) -> None:
    work = undertakings.work_of(job.kind)
    jobs.go_on(work, job.pk, by=by, reason=reason, runner=Runner.RELAY)


@admin.register(Job)
class JobAdmin(MovingAdmin[Job]):
    """The latest first. `manage.py jobs` has the same verbs."""

    change_form_template = "admin/notifications/job.html"
    list_display = ("number", "kind", "state_badge", "progress", "why", "actor", "begun")
    list_display_links = ("number",)
    list_filter = (JobStateFilter, KindFilter)
    ordering = ("-id",)
    search_help_text = _("Exactly one of: a job's number, a delivery's id, an order (order/123).")
    fieldsets = (
        (_("What"), {"fields": (("number", "what", "override"), "wanted")}),
        (_("Why"), {"fields": (("actor", "why", "created"),)}),
    )
    moves = (
        Move(
            "pause",
            _("Pause"),
            "run_bulk_job",
            _refusable(_pause),
            lambda job: job.state == State.RUNNING,
        ),
        Move(
            "resume",
            _("Resume"),
            "run_bulk_job",
            _refusable(_go_on),
            lambda job: job.state == State.STOPPED and job.stage is None,
        ),
        Move(
            "go_on",
            _("Go on with this stage"),
            "run_bulk_job",
            _refusable(_go_on),
            lambda job: job.state == State.STOPPED and job.stage is not None,
        ),
        Move(
            "hand_over",
            _("Hand it to the relays"),
            "run_bulk_job",
            _refusable(_go_on),
            lambda job: job.state == State.RUNNING and job.runner == Runner.PROCESS,
        ),
        Move(
            "cancel",
            _("Cancel"),
            "run_bulk_job",
            _refusable(_cancel),
            lambda job: job.state in Job.OPEN,
        ),
    )

    state_badge = columns.state()
    why = columns.short("reason", _("reason"))
    begun = columns.ago("created_at", _("begun"))
    created = columns.moment("created_at", _("begun"))

    class Media:
        css = {"all": ["notifications/bulk.css"]}

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(require_POST(self._set_rate))
        own = path("<path:object_id>/rate/", view, name="notifications_job_rate")
        return [own, *super().get_urls()]

    def matching(self, term: str) -> Q:
        about = Q(subject__in=search.subjects(term))
        if identifier := search.identifier(term):
            about |= Q(delivery_id=identifier) | Q(event_id=identifier)
        found = Q(pk__in=JobItem.objects.filter(about).values("job_id")[: search.MAX_FOLLOWED])
        if (number := search.number(term)) is not None:
            found |= Q(pk=number)
        return found

    def page_context(self, request: HttpRequest, row: Job) -> dict[str, Any]:
        return {
            "job": row,
            "outcomes": _outcomes(row),
            "items_url": pages.url("job_items", row.pk),
            "is_open": row.state in Job.OPEN,
            "facts": _facts(row),
            "tables": [*_log(request, row), *_items(request, row)],
            "every": EVERY,
            "rate_url": reverse("admin:notifications_job_rate", args=[row.pk]),
            "rate_why_not": self._why_not(request, row),
        }

    def buttons(self, request: HttpRequest, row: Job) -> list[dict[str, Any]]:
        """Whoever may run jobs may not therefore resend: the permission of what it does as well."""
        refused = self._why_not(request, row)
        return [
            {**button, "why_not": button["why_not"] or refused}
            for button in super().buttons(request, row)
        ]

    def _move(self, request: HttpRequest, move: Move, row: Job) -> bool:
        if self._why_not(request, row):
            raise PermissionDenied
        return super()._move(request, move, row)

    def _set_rate(self, request: HttpRequest, object_id: str) -> HttpResponse:
        job = self.get_object(request, object_id)
        if job is None:
            raise Http404
        if self._why_not(request, job) or not self.has_view_permission(request):
            raise PermissionDenied
        try:
            rate = float(request.POST.get("rate", ""))
        except ValueError:
            rate = math.nan

        def change(job: Job, by: str, reason: str) -> None:
            undertakings.undertaking(job.kind).check_rate(rate)
            jobs.set_rate(job.pk, rate, by=by, reason=reason)

        move = Move("rate", _("Change rate"), "run_bulk_job", _refusable(change), lambda job: True)
        self._move(request, move, job)
        return HttpResponseRedirect(page_url(job))

    def _why_not(self, request: HttpRequest, job: Job) -> str:
        chosen = undertakings.undertaking(job.kind)
        return (
            refusal(request, Job._meta, "run_bulk_job")
            or refusal(request, chosen.model._meta, chosen.permission)
            or (refusal(request, Job._meta, "override_refusals") if job.override else "")
        )

    @admin.display(description=_("job"))
    def number(self, job: Job) -> str:
        return str(job.pk)

    @admin.display(description=_("kind"))
    def what(self, job: Job) -> str:
        return str(undertakings.undertaking(job.kind).title)

    def name_of(self, row: Job) -> str:
        named = {"number": row.pk, "what": undertakings.undertaking(row.kind).title}
        return gettext("Job %(number)d: %(what)s") % named

    @admin.display(description=_("progress"))
    def progress(self, job: Job) -> SafeString:
        bar = format_html(
            '<progress max="{}" value="{}" aria-label="{}"></progress>',
            job.total or 1,
            job.settled if job.total else 1,
            gettext("%(done)d of %(total)d") % {"done": job.settled, "total": job.total},
        )
        return two_lines(bar, jobs.summary(job))

    @admin.display(description=_("filter"))
    def wanted(self, job: Job) -> SafeString | str:
        return as_json(job.filter) if job.filter else EMPTY


_WHEN_STOPPED = _("Its log says why it stopped. Mend that and go on, or cancel it.")


def _outcomes(job: Job) -> list[SafeString]:
    """Each with how many, leading to these items."""
    url = pages.url("job_items", job.pk)
    return [
        format_html("{} {}", badge(each), link(f"{url}?outcome={each}", job.counts[each]))
        for each in JobItem.Outcome.values
        if job.counts.get(each)
    ]


def _facts(job: Job) -> list[tuple[object, object]]:
    """What changes while it runs, each with its name."""
    facts: list[tuple[object, object]] = [
        (_("State"), badge(job.state)),
        (_("Run by"), job.get_runner_display()),
        (_("A second, at most"), f"{job.rate:g}"),
        (_("Last step"), exact(job.moved_at)),
    ]
    if job.stage is not None and job.finished_at is None:
        facts.insert(1, (_("Stage"), _stage(job)))
    if job.state == State.STOPPED:
        facts.append((_("What to do"), _WHEN_STOPPED))
    if ahead := _ahead(job):
        facts.append((_("Ahead"), ahead))
    if job.finished_at:
        facts.append((_("Finished"), exact(job.finished_at)))
    return facts


def _stage(job: Job) -> str:
    if job.stage_left is None:
        return gettext("%(stage)d: all that are left") % {"stage": job.stage}
    left = {"stage": job.stage, "left": job.stage_left}
    return gettext("%(stage)d: it may begin %(left)d more") % left


def _ahead(job: Job) -> str:
    """How long what waits lasts at its rate; empty when nothing is ahead."""
    waiting = job.counts.get(JobItem.Outcome.WAITING, 0)
    if not waiting or job.state not in Job.OPEN:
        return ""
    return gettext("%(waiting)d wait; at %(rate)g a second at most, for %(lasts)s") % {
        "waiting": waiting,
        "rate": job.rate,
        "lasts": span(timedelta(seconds=waiting / job.rate)),
    }


def _items(request: HttpRequest, job: Job) -> list[related.Section]:
    """The first of them, all of them on a page of their own."""
    more = pages.url("job_items", job.pk)
    return related.mended(request, job.items.all(), more=more, by_job=True)


def _log(request: HttpRequest, job: Job) -> list[related.Section]:
    titles = (_("When"), _("What"), _("Who"))

    def cells(row: JobEntry) -> Sequence[object]:
        return exact(row.at), short(row.text, most=SENTENCE), row.by or EMPTY

    found: QuerySet[JobEntry] = job.log.order_by("-id")
    return related.section(request, _("Log, the latest first"), titles, found, cells)
