"""Standings: where each consumer stands with a subject, as a badge, and what to do about it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from django.http import HttpRequest
from django.utils.functional import Promise
from django.utils.safestring import SafeString
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from notifications.admin.display import (
    BAD,
    GOOD,
    QUIET,
    TROUBLE,
    WAITING,
    badge,
    link,
    list_url,
    page_url,
)
from notifications.admin.related import may_view
from notifications.completeness import NOT_EXPECTED, URGENCY, Report, Standing
from notifications.models import DeadLetter, Delivery, Dispatch, WorkerProcess
from notifications.timeline import Timeline

STANDINGS: dict[Standing, tuple[str, Promise]] = {
    Standing.GIVEN_UP: (BAD, _("gave it up")),
    Standing.SILENT: (TROUBLE, _("has not reported")),
    Standing.UNDER_WAY: (WAITING, _("under way")),
    Standing.UNPUBLISHED: (TROUBLE, _("not published yet")),
    Standing.AHEAD: (WAITING, _("comes next")),
    Standing.REMOVED: (BAD, _("was removed")),
    Standing.UNRECORDED: (QUIET, _("keeps no record")),
    Standing.DONE: (GOOD, _("done")),
    Standing.NOT_CALLED_FOR: (QUIET, _("not called for")),
}


@dataclass(frozen=True)
class Row:
    """One consumer. advice: a link to what mends it, or nothing."""

    consumer: str
    badge: SafeString
    words: str
    advice: SafeString | str
    expected: bool


def rows(request: HttpRequest, found: Timeline) -> list[Row]:
    """What needs a look first."""
    reports = sorted(
        found.completeness.reports, key=lambda each: (URGENCY[each.standing], each.consumer)
    )
    return list(_rows(request, reports, found))


def _rows(request: HttpRequest, reports: list[Report], found: Timeline) -> Iterator[Row]:
    for report in reports:
        tone, label = STANDINGS[report.standing]
        yield Row(
            report.consumer,
            badge(str(label), tone=tone),
            report.words(found.at),
            _advice(request, report, found.subject),
            report.standing not in NOT_EXPECTED,
        )


def _advice(request: HttpRequest, report: Report, subject: str) -> SafeString | str:
    match report.standing:
        case Standing.GIVEN_UP if report.dead_letter and may_view(request, DeadLetter):
            page = page_url(DeadLetter(pk=report.dead_letter))
            return link(page, gettext("Read why, then redrive it"))
        case Standing.GIVEN_UP if may_view(request, Delivery):
            url = list_url(Delivery, q=subject, state=Delivery.State.FAILED)
            return link(url, gettext("See what failed, then send it again"))
        case Standing.UNDER_WAY if may_view(request, Delivery):
            return link(list_url(Delivery, q=subject), gettext("See its deliveries"))
        case Standing.SILENT if may_view(request, WorkerProcess):
            return link(list_url(WorkerProcess), gettext("See whether its workers run"))
        case Standing.UNPUBLISHED if may_view(request, Dispatch):
            return link(list_url(Dispatch, q=subject), gettext("See its dispatches"))
    return ""
