"""The console's first page: who needs a person, how each queue does, what was done and failed."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_safe

from notifications import consumers, lookout
from notifications.admin.display import ago
from notifications.console import objectives, overview_rows, pages
from notifications.console.charts import Chart, Layer
from notifications.console.links import Links
from notifications.console.pages import Page
from notifications.lookout import Lookout
from notifications.models.throughput import Counts
from notifications.throughput import Series

EVERY = 5
"""Seconds between two looks of the page at itself."""


@require_safe
def overview(request: HttpRequest) -> HttpResponse:
    """`?consumer=email`: the charts of that one alone."""
    found = lookout.look()
    names = [each.name for each in consumers.all_consumers()]
    consumer = request.GET.get("consumer", "")
    consumer = consumer if consumer in names else ""
    hour, day = lookout.charts(consumer, at=found.minutes)
    links = Links(request)
    return pages.render(
        request,
        "overview.html",
        title=_("Overview"),
        every=EVERY,
        depths=_depths(found),
        outbox=_outbox(found),
        minutes=_minutes(found, hour),
        needs=[links.need(need) for need in found.needs],
        headings=overview_rows.headings(),
        lines=overview_rows.lines(request, found),
        objectives=_objectives(found),
        consumer=consumer,
        charts=[*_charts("hour", _("last hour"), hour), *_charts("day", _("last day"), day)],
        figures=_figures(found),
    )


def _depths(found: Lookout) -> SafeString:
    """How old what SQS says is, or why it says nothing."""
    told = found.depths
    if told.at is None:
        said = _("SQS has not answered yet.") if told.stale else _("SQS was not asked.")
        return format_html("{}", said)
    asked = format_html(_("What lies on the queues is SQS's word of {}."), ago(told.at))
    if told.found.error:
        trouble = _("SQS does not tell all: %(trouble)s") % {"trouble": found.queues.trouble}
        return format_html("<strong>{}</strong> {}", trouble, asked)
    if told.stale:
        return format_html("<strong>{}</strong> {}", _("SQS takes long to answer."), asked)
    return asked


def _outbox(found: Lookout) -> SafeString:
    if found.outbox is None:
        return format_html("{}", _("Nothing waits to be published."))
    return format_html(_("The oldest message to publish is due since {}."), ago(found.outbox))


def _minutes(found: Lookout, hour: Series) -> SafeString:
    if found.minutes.computed_at is None:
        return format_html("{}", _("No minute has been added up yet: the relays do it."))
    until = f"{timezone.localtime(hour.until):%H:%M}"
    return format_html(
        _("Up to {}; the relays added up the latest minute {}."),
        until,
        ago(found.minutes.computed_at),
    )


def _objectives(found: Lookout) -> dict[str, Any]:
    """Nothing where the shop has none."""
    lines = objectives.lines(found.standings)
    return {"headings": objectives.headings(), "lines": lines} if lines else {}


def _charts(key: str, time: str, series: Series) -> list[Chart]:
    """What was done, and what failed."""
    labels = [_label(bucket.start, series) for bucket in series.buckets]

    def layer(label: str, tone: str, column: str) -> Layer:
        values = [
            getattr(bucket.counts, column) if bucket.known else None for bucket in series.buckets
        ]
        return Layer(label, tone, values)

    done = [layer(_("done"), "good", "done"), layer(_("skipped"), "quiet", "skipped")]
    failed = [
        layer(_("failed for now"), "trouble", "transient"),
        layer(_("failed for good"), "bad", "failed"),
        layer(_("unknown"), "waiting", "unknown"),
        layer(_("came back"), "returned", "returned"),
        layer(_("dead letters"), "buried", "buried"),
    ]
    return [
        Chart(f"{key}-done", _("Done, %(time)s") % {"time": time}, labels, done),
        Chart(f"{key}-failed", _("Failures, %(time)s") % {"time": time}, labels, failed),
    ]


def _label(start: datetime, series: Series) -> str:
    """Of a day, those before today with their date: the same time stands at both of its ends."""
    local = timezone.localtime(start)
    today = timezone.localtime(series.until).date()
    return f"{local:%H:%M}" if local.date() == today else f"{local:%m-%d %H:%M}"


def _figures(found: Lookout) -> dict[str, Any]:
    """By consumer: the last hour and the last day."""
    names = sorted(found.day)
    return {
        "headings": [
            _("done"),
            _("skipped"),
            _("failed for now"),
            _("failed for good"),
            _("unknown"),
            _("retries"),
            _("came back"),
            _("dead letters"),
            _("events"),
        ],
        "spans": [
            (_("Last hour"), [(name, found.hour.get(name, Counts())) for name in names]),
            (_("Last day"), [(name, found.day[name]) for name in names]),
        ],
    }


pages.register(
    Page("overview", "overview/", gettext_lazy("Overview"), "notifications.view_delivery", overview)
)
