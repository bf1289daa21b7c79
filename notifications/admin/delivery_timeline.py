"""The timeline on a delivery's page: what `notifications.delivery_timeline` tells, as a table."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from django.contrib import admin
from django.db.models import Model
from django.http import HttpRequest
from django.utils.functional import Promise
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _

from notifications.admin.display import (
    GOOD,
    QUIET,
    TROUBLE,
    WAITING,
    badge,
    due,
    exact,
    link,
    page_url,
)
from notifications.admin.related import may_view
from notifications.delivery_timeline import timeline
from notifications.models import Attempt, AuditEntry, Delivery, Dispatch, Event, Job, Receipt
from notifications.timeline_entries import Entry, Kind

_KINDS: Mapping[Kind, tuple[str, Promise]] = {
    Kind.EVENT: (QUIET, _("event")),
    Kind.OPERATOR: (TROUBLE, _("operator")),
    Kind.DISPATCH: (QUIET, _("dispatch")),
    Kind.RENDERED: (QUIET, _("rendered")),
    Kind.ATTEMPT: (WAITING, _("attempt")),
    Kind.RECEIPT: (GOOD, _("receipt")),
    Kind.DELIVERY: (QUIET, _("delivery")),
    Kind.AHEAD: (WAITING, _("ahead")),
}
_MODELS: Mapping[str, type[Model]] = {
    "event": Event,
    "dispatch": Dispatch,
    "attempt": Attempt,
    "receipt": Receipt,
    "job": Job,
    "audit": AuditEntry,
}


@dataclass(frozen=True)
class Line:
    when: SafeString | str
    kind: SafeString
    what: SafeString | str
    detail: str


def lines(request: HttpRequest, delivery: Delivery) -> list[Line]:
    """Those that this visitor may see: of each table, whoever may view its rows."""
    return [_line(entry) for entry in timeline(delivery) if _may_see(request, entry)]


def _line(entry: Entry) -> Line:
    tone, label = _KINDS[entry.kind]
    when = due(entry.at) if entry.kind is Kind.AHEAD else exact(entry.at)
    return Line(when, badge(str(label), tone=tone), _linked(entry), entry.detail)


def _linked(entry: Entry) -> SafeString | str:
    """With what it is about, where that has a page of its own."""
    for name, pk in entry.ids.items():
        if admin.site.is_registered(_MODELS[name]):
            return link(page_url(_MODELS[name](pk=pk)), entry.what)
    return entry.what


def _may_see(request: HttpRequest, entry: Entry) -> bool:
    return all(may_view(request, _MODELS[name]) for name in entry.ids)
