"""The timeline of an order, or of anything else that events are about: completeness first."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from typing import Any
from uuid import UUID

from django.core.exceptions import ImproperlyConfigured
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.html import format_html
from django.utils.http import urlencode
from django.utils.safestring import SafeString
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from notifications.admin.display import event_link, exact, list_url
from notifications.admin.search import in_address, reaches
from notifications.completeness import Completeness
from notifications.console.entry_links import EntryLinks
from notifications.console.pages import Page, register, render, url
from notifications.console.standings import rows
from notifications.models import Delivery
from notifications.timeline import Timeline, Told, subject_of, timeline
from notifications.timeline_entries import Entry, Kind

SHOWN = 500
"""Entries of one page, the latest; all of them by `?all=1`."""

LONGEST_SUBJECT = 255

KINDS: dict[Kind, tuple[str, Promise]] = {
    Kind.SHOP: ("\N{BLACK STAR}", _("Shop")),
    Kind.EVENT: ("\N{BLACK CIRCLE}", _("Event")),
    Kind.OPERATOR: ("\N{LOWER RIGHT PENCIL}", _("Operator")),
    Kind.DISPATCH: ("\N{RIGHTWARDS ARROW}", _("Dispatch")),
    Kind.ATTEMPT: ("\N{NORTH EAST ARROW}", _("Attempt")),
    Kind.RECEIPT: ("\N{SOUTH WEST ARROW}", _("Receipt")),
    Kind.DELIVERY: ("\N{BLACK SQUARE}", _("Delivery")),
    Kind.CONSUMER: ("\N{BLACK DIAMOND}", _("Consumer")),
    Kind.DEAD_LETTER: ("\N{MULTIPLICATION X}", _("Dead letter")),
    Kind.AHEAD: ("\N{WHITE CIRCLE}", _("Ahead")),
}
"""By kind: a sign, which says nothing alone, and what it is called."""


@dataclass(frozen=True)
class Line:
    """One entry as the page shows it."""

    entry: Entry
    when: SafeString | str
    sign: str
    label: Promise
    links: list[SafeString]


@dataclass(frozen=True)
class Part:
    """The lines of one event, or of one day. words: how far the event came."""

    title: object
    lines: list[Line]
    words: str = ""
    lags: tuple[str, ...] = ()


def search(request: HttpRequest) -> HttpResponse:
    """The form, and the way from what is typed into it to the page of that. A link may name it as
    well, but what is typed is posted: it may be an address, by mistake."""
    asked = request.POST if request.method == "POST" else request.GET
    given = " ".join(asked.get("subject", "").replace("\0", "").split())
    if reaches(given):
        return _an_address(request, given)
    if given and len(given) <= LONGEST_SUBJECT:
        return HttpResponseRedirect(url("timeline_of", subject_of(given)))
    return render(
        request,
        "timeline_search.html",
        title=_("Timeline"),
        too_long=bool(given),
        longest=LONGEST_SUBJECT,
    )


def of_subject(request: HttpRequest, subject: str) -> HttpResponse:
    if "\0" in subject or len(subject) > LONGEST_SUBJECT:
        return HttpResponseRedirect(url("timeline"))
    try:
        found = timeline(subject)
    except ImproperlyConfigured as error:
        return _nothing(request, subject, str(error), status=500)
    if not found.entries:
        return _nothing(request, subject, "", status=404)
    chosen = {kind for kind in request.GET.getlist("kind") if kind in set(Kind)}
    by = "day" if request.GET.get("by") == "day" else "event"
    links = EntryLinks(request)
    seen = [each for each in found.entries if links.may_see(each)]
    entries = [each for each in seen if not chosen or each.kind in chosen]
    kept = entries if request.GET.get("all") else entries[-SHOWN:]
    lines = [_line(entry, links) for entry in kept]
    parts = _by_day(lines) if by == "day" else _by_event(lines, found)
    return render(
        request,
        "timeline.html",
        title=gettext("Timeline of %(subject)s") % {"subject": subject},
        found=found,
        standings=rows(request, found),
        headline=_headline(found.completeness),
        parts=list(parts),
        kinds=_choices(seen, chosen),
        by=by,
        left_out=len(entries) - len(kept),
        everything=_query(chosen, by, all="1"),
        may_view_deliveries=request.user.has_perm("notifications.view_delivery"),
    )


def _an_address(request: HttpRequest, given: str) -> HttpResponse:
    """It stands in no event, and must not in the address of a page."""
    sealed = in_address(given)
    return render(
        request,
        "timeline_search.html",
        title=_("Timeline"),
        is_address=True,
        deliveries=_deliveries(request, sealed if sealed != given else ""),
    )


def _deliveries(request: HttpRequest, term: str) -> str:
    """Their list, searched for that if it is anything; empty for who may not see it."""
    if not request.user.has_perm("notifications.view_delivery"):
        return ""
    return list_url(Delivery, q=term) if term else list_url(Delivery)


def _nothing(request: HttpRequest, subject: str, why: str, *, status: int) -> TemplateResponse:
    # A customer or a provider's message id has no timeline, but perhaps deliveries.
    deliveries = "" if why else _deliveries(request, subject)
    response = render(
        request,
        "timeline_search.html",
        title=_("Timeline"),
        unknown=subject,
        why=why,
        deliveries=deliveries,
    )
    response.status_code = status
    return response


def _headline(counted: Completeness) -> str:
    if not counted.expected:
        return gettext("Nobody is expected to report on it.")
    words = {"reached": counted.reached, "expected": counted.expected}
    if counted.is_complete:
        return gettext("Complete: reached %(reached)d of %(expected)d consumers.") % words
    return gettext("Reached %(reached)d of %(expected)d consumers.") % words


def _line(entry: Entry, links: EntryLinks) -> Line:
    sign, label = KINDS[entry.kind]
    return Line(entry, exact(entry.at), sign, label, links.of(entry))


def _by_event(lines: list[Line], found: Timeline) -> Iterator[Part]:
    """What belongs to no one event, then each event in order of time, also those not kept."""
    told = {each.event_id: each for each in found.events}
    groups: dict[UUID | None, list[Line]] = {None: []} | {event_id: [] for event_id in told}
    for line in lines:
        groups.setdefault(line.entry.event_id, []).append(line)
    for event_id, of_event in groups.items():
        if of_event:
            yield _part(event_id, told, of_event, found)


def _part(
    event_id: UUID | None, told: dict[UUID, Told], lines: list[Line], found: Timeline
) -> Part:
    if event_id is None:
        return Part(gettext("As a whole"), lines)
    if event := told.get(event_id):
        title = format_html("{} <small>{}</small>", event.type, event_link(event_id))
        lags = tuple(lag.words for lag in event.lags if lag.published or lag.received)
        return Part(title, lines, event.completeness.words(found.at), lags)
    return Part(gettext("An event that is no longer kept: %(id)s") % {"id": event_id}, lines)


def _by_day(lines: list[Line]) -> Iterator[Part]:
    days: dict[date, list[Line]] = {}
    for line in lines:
        days.setdefault(timezone.localtime(line.entry.at).date(), []).append(line)
    for day, of_day in days.items():
        yield Part(day, of_day)


def _choices(entries: list[Entry], chosen: set[str]) -> list[dict[str, Any]]:
    """The kinds that there are, each with how many, and whether it is shown alone."""
    there = Counter(entry.kind for entry in entries)
    return [
        {"name": kind, "label": label, "sign": sign, "count": there[kind], "on": kind in chosen}
        for kind, (sign, label) in KINDS.items()
        if there[kind]
    ]


def _query(chosen: set[str], by: str, **more: str) -> str:
    return "?" + urlencode({"kind": sorted(chosen), "by": by, **more}, doseq=True)


register(Page("timeline", "timeline/", _("Timeline"), "notifications.view_event", search))
register(
    Page(
        "timeline_of",
        "timeline/<path:subject>/",
        _("Timeline"),
        "notifications.view_event",
        of_subject,
        listed=False,
    )
)
