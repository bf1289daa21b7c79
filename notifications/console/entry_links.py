"""Entry links: from what a timeline's entry names to the rows' own pages, as far as one may go."""

from __future__ import annotations

from django.contrib import admin
from django.db.models import Model
from django.http import HttpRequest
from django.urls import NoReverseMatch
from django.utils.functional import Promise
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _

from notifications.admin.display import link, page_url
from notifications.admin.related import may_view
from notifications.models import (
    AuditEntry,
    DeadLetter,
    Delivery,
    Dispatch,
    Event,
    Handled,
    Job,
    Pause,
    Receipt,
    ScheduledEvent,
)
from notifications.timeline_entries import Entry

_OURS: dict[str, tuple[type[Model], Promise]] = {
    "event": (Event, _("event")),
    "delivery": (Delivery, _("delivery")),
    "attempt": (Delivery, _("delivery")),
    "dispatch": (Dispatch, _("dispatch")),
    "handled": (Handled, _("inbox row")),
    "receipt": (Receipt, _("receipt")),
    "dead_letter": (DeadLetter, _("dead letter")),
    "job": (Job, _("job")),
    "pause": (Pause, _("pause")),
    "scheduled": (ScheduledEvent, _("scheduled event")),
    "audit": (AuditEntry, _("audit entry")),
}


class EntryLinks:
    """For one visitor. What the shop names is looked for among its own models by that name."""

    def __init__(self, request: HttpRequest) -> None:
        self._request = request
        self._open = {
            name: (model, label)
            for name, (model, label) in _OURS.items()
            if may_view(request, model)
        }
        self._of_shop = {
            model._meta.model_name: model
            for model in admin.site._registry
            if model._meta.app_label != "notifications" and may_view(request, model)
        }

    def may_see(self, entry: Entry) -> bool:
        """Whoever may not view a table is told nothing of its rows: of the audit, say. What no
        table of ours holds is the shop's, and for it to say."""
        return all(name in self._open for name in entry.ids if name in _OURS)

    def of(self, entry: Entry) -> list[SafeString]:
        found = (self._link(name, value) for name, value in entry.ids.items())
        return [each for each in found if each]

    def _link(self, name: str, value: str) -> SafeString | None:
        if name in self._open:
            model, label = self._open[name]
            key = value.partition(".")[0]  # an attempt's tag begins with its delivery's id
            return link(page_url(model(pk=key)), label)
        model_of_shop = self._of_shop.get(name)
        if name in _OURS or model_of_shop is None or not value.isdecimal():
            return None
        try:
            page = page_url(model_of_shop(pk=int(value)))
        except NoReverseMatch:
            return None
        return link(page, model_of_shop._meta.verbose_name)
