"""Audit: what was done, by whom, why, on what, and what it was before and after."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from django.contrib import admin
from django.core.exceptions import ValidationError
from django.db.models import Model, Q
from django.http import HttpRequest
from django.utils.safestring import SafeString
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from notifications import audit
from notifications.admin import columns, related, search
from notifications.admin.display import EMPTY, as_json, link, list_url, page_url, short, two_lines
from notifications.admin.facts import FactsAdmin
from notifications.admin.filters import ChoiceFilter, WithinFilter
from notifications.models import AuditEntry

KEY = 20
"""Characters of a row's key that a list shows whole."""


class ActionFilter(ChoiceFilter):
    title = _("action")
    parameter_name = column = "action"

    def options(self) -> Iterable[str]:
        return AuditEntry.objects.actions()


class DoorFilter(ChoiceFilter):
    title = _("door")
    parameter_name = column = "door"

    def options(self) -> Iterable[str]:
        return AuditEntry.Door.values

    def label(self, option: str) -> str:
        return str(AuditEntry.Door(option).label)


class AtFilter(WithinFilter):
    title = _("done")
    column = "at"


@admin.register(AuditEntry)
class AuditEntryAdmin(FactsAdmin[AuditEntry]):
    """The latest first. `manage.py audit` lists the same."""

    list_display = ("done", "action", "what", "by_whom", "why")
    list_display_links = ("action",)
    list_filter = (ActionFilter, DoorFilter, AtFilter)
    list_defer = ("before", "after")
    ordering = ("-id",)
    search_help_text = _(
        "Exactly one of: a user's name, a row's number or id, an order (order/123), a customer "
        "(customer/42) or their address."
    )
    fieldsets = (
        (_("What"), {"fields": (("action", "things"), ("target_now", "order"))}),
        (_("Who"), {"fields": (("who", "by_door"), "moment")}),
        (_("Why"), {"fields": ("whole_reason",)}),
    )

    done = columns.ago("at", _("done"))
    moment = columns.moment("at", _("when"))
    order = columns.order(AuditEntry)
    why = columns.short("reason", _("reason"))
    whole_reason = columns.whole("reason", _("reason"))

    def matching(self, term: str) -> Q:
        return Q(actor=term) | audit.about(term) | Q(subject__in=search.subjects(term))

    def related(self, request: HttpRequest, row: AuditEntry) -> list[related.Section]:
        titles = (_("What"), _("Before"), _("After"))
        names = dict.fromkeys([*row.before, *row.after])
        changes = [
            (name.replace("_", " "), _shown(row.before, name), _shown(row.after, name))
            for name in names
        ]
        return [related.Section(_("What changed"), titles, changes)]

    @admin.display(description=_("who"))
    def by_whom(self, entry: AuditEntry) -> SafeString:
        return two_lines(self.who(entry), self.by_door(entry))

    @admin.display(description=_("who"))
    def who(self, entry: AuditEntry) -> SafeString | str:
        return link(list_url(AuditEntry, q=entry.actor), entry.actor) if entry.actor else EMPTY

    @admin.display(description=_("door"))
    def by_door(self, entry: AuditEntry) -> str:
        return entry.get_door_display()

    @admin.display(description=_("things"))
    def things(self, entry: AuditEntry) -> int:
        return entry.count

    @admin.display(description=_("on what"))
    def what(self, entry: AuditEntry) -> SafeString | str:
        """With the order below it, and how many things, where they are several."""
        named = self._named(entry, cut=True)
        if entry.count != 1:
            return two_lines(named, gettext("%(count)d things") % {"count": entry.count})
        if entry.subject:
            return two_lines(named, link(list_url(AuditEntry, q=entry.subject), entry.subject))
        return named

    @admin.display(description=_("on what"))
    def target_now(self, entry: AuditEntry) -> SafeString | str:
        """Leading to it, while it is there."""
        row = self._row_of(entry)
        return self._named(entry) if row is None else link(page_url(row), self._named(entry))

    def _named(self, entry: AuditEntry, *, cut: bool = False) -> str:
        """cut: of a long key its end alone, for a list."""
        end = f"…\N{WORD JOINER}{entry.target[-8:]}"
        if entry.target_kind == audit.PERSON:
            return gettext("a customer (%(key)s)") % {"key": end}
        key = end if cut and len(entry.target) > KEY else entry.target
        model = self._model_of(entry)
        return f"{model._meta.verbose_name} {key}" if model else short(entry.target)

    def _model_of(self, entry: AuditEntry) -> type[Model] | None:
        shown = (model for model, _ in self.admin_site._registry.items())
        return next((each for each in shown if each._meta.model_name == entry.target_kind), None)

    def _row_of(self, entry: AuditEntry) -> Model | None:
        model = self._model_of(entry)
        if model is None:
            return None
        try:
            return model._default_manager.filter(pk=entry.target).only("pk").first()
        except (ValueError, ValidationError):
            return None


def _shown(states: Mapping[str, Any], name: str) -> SafeString | str:
    match states.get(name):
        case None:
            return EMPTY
        case bool(said):
            return gettext("yes") if said else gettext("no")
        case dict(value):
            return as_json(value)
        case list(values):
            return as_json(values) if len(values) > 10 else ", ".join(map(str, values)) or EMPTY
        case value:
            return short(str(value))
