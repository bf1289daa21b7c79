"""Reveal: personal data is masked on every page, until one who may see it asks to.

    class CustomerAdmin(RevealingAdmin[Customer]):
        personal = ("email", "phone")
        shown_email = reveal.column("email", _("email"))

The button is a POST; its answer is the page with everything on it, for that answer alone: it is in
the audit, no cache keeps it, and whoever loads the page again sees masks again. No reason is asked:
who, when and whose says what an auditor needs.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, ClassVar

from django.contrib import messages
from django.core import signing
from django.core.exceptions import PermissionDenied
from django.db.models import Model
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import URLPattern, path, reverse
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from notifications import audit
from notifications.admin.columns import Column
from notifications.admin.display import EMPTY, page_url
from notifications.admin.facts import FactsAdmin, Row
from notifications.admin.permitted import refusal
from notifications.models import Delivery
from notifications.recipients import mask

PERMISSION = "notifications.view_personal_data"

TICKET_SECONDS = 60
"""How long what a revealed page loads by itself (a frame) may be asked for."""

_REVEALED = "_is_revealed"
_SAVED = "revealed"
"""In the URL that the form of a revealed page is posted to."""


def may_reveal(request: HttpRequest) -> bool:
    return bool(request.user.has_perm(PERMISSION))


def why_not_reveal(request: HttpRequest) -> str:
    """What a button says that this visitor may not press; nothing, if they may."""
    return refusal(request, Delivery._meta, PERMISSION.partition(".")[2])


def is_revealed(row: Model) -> bool:
    """Whether this very object was loaded for an answer that shows everything."""
    return _REVEALED in vars(row)


def reveal(request: HttpRequest, row: Model, *, whose: audit.Person | None = None) -> None:
    """Show it in this answer, and write down that it was. Raises PermissionDenied.

    whose: of a row that is a person's own; the audit names no customer.
    """
    if not may_reveal(request):
        raise PermissionDenied
    audit.record(audit.REVEAL, by=request.user.get_username(), target=whose or row)
    vars(row)[_REVEALED] = True
    vars(request)[_REVEALED] = row.pk


def shown(row: Model, text: str, masked: Callable[[str], str] = mask) -> str:
    """The text on a revealed page, its mask on any other."""
    return (text if is_revealed(row) else masked(text)) or EMPTY


def column(field: str, title: Promise | str, masked: Callable[[str], str] = mask) -> Column:
    """A field of a row's page, or of a list, where it is always masked."""

    def show(model_admin: Any, row: Any) -> str:
        return shown(row, getattr(row, field) or "", masked)

    show.short_description = title  # type: ignore[attr-defined]
    return show


def ticket(request: HttpRequest, row: Model) -> str:
    """For the URL of what a revealed page loads by itself; good for this visitor and this row."""
    return signing.dumps(_named(request, row), salt=PERMISSION)


def admits(request: HttpRequest, row: Model, given: str) -> bool:
    """Whether that is such a ticket, and still good."""
    try:
        named = signing.loads(given, salt=PERMISSION, max_age=TICKET_SECONDS)
    except signing.BadSignature:
        return False
    return bool(named == _named(request, row)) and may_reveal(request)


def _named(request: HttpRequest, row: Model) -> list[str]:
    return [str(request.user.pk), row._meta.label_lower, str(row.pk)]


class RevealingAdmin(FactsAdmin[Row]):
    """Facts of which some are masked until revealed. Before MovingAdmin, if it is that as well."""

    personal: ClassVar[Sequence[str]] = ()
    """The row's fields that hold something to reveal."""

    def holds_personal_data(self, row: Row) -> bool:
        """Whether there is anything to reveal."""
        return any(getattr(row, field) for field in self.personal)

    def whose(self, row: Row) -> audit.Person | None:
        """Of a row that is a person's own."""
        return None

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(require_POST(self.reveal_view))
        return [
            path("<path:object_id>/reveal/", view, name=self._reveal_name()),
            *super().get_urls(),
        ]

    def reveal_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """The row's own page, revealed."""
        if not (may_reveal(request) and self.has_view_permission(request)):
            raise PermissionDenied
        row = self.get_object(request, object_id)
        if row is None:
            raise Http404
        reveal(request, row, whose=self.whose(row))
        said = _(
            "Personal data is shown, in this answer only. That you saw it stands in the audit."
        )
        messages.warning(request, said)
        request.method = "GET"  # from here on it is the page that is asked for, not a change of it
        return self.change_view(request, object_id, form_url=f"{page_url(row)}?{_SAVED}=1")

    def get_object(
        self, request: HttpRequest, object_id: str, from_field: str | None = None
    ) -> Row | None:
        row = super().get_object(request, object_id, from_field)
        if row is not None and vars(request).get(_REVEALED) == row.pk:
            vars(row)[_REVEALED] = True
        return row

    def may_edit(self, request: HttpRequest, row: Row | None) -> bool:
        """Of who may change such rows: whether this page or this POST has what is masked as fields
        of its form. A masked page has it not, so what is saved there leaves it as it is."""
        if row is None or is_revealed(row):
            return True
        return request.method == "POST" and _SAVED in request.GET and may_reveal(request)

    def buttons(self, request: HttpRequest, row: Row) -> list[dict[str, Any]]:
        return [*self.reveal_button(request, row), *super().buttons(request, row)]

    def reveal_button(self, request: HttpRequest, row: Row) -> list[dict[str, Any]]:
        """None where nothing is hidden."""
        if is_revealed(row) or not self.holds_personal_data(row):
            return []
        return [
            {
                "label": _("Reveal personal data"),
                "url": reverse(f"admin:{self._reveal_name()}", args=[row.pk]),
                "why_not": why_not_reveal(request),
                "no_reason": True,
            }
        ]

    def _reveal_name(self) -> str:
        return f"{self.opts.app_label}_{self.opts.model_name}_reveal"
