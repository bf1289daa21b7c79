"""Moves: the buttons of a page that change its row. Each is a POST, with a permission and a reason.

    class SomeAdmin(MovingAdmin[Row]):
        moves = (Move("discard", _("Discard"), "discard_deadletter", _discard, _may_be_discarded),)

The verb itself is the one that the command calls.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import URLPattern, path, reverse
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from notifications.admin.display import page_url
from notifications.admin.facts import FactsAdmin, Row
from notifications.admin.permitted import why_not

MOST_REASON = 255
"""Characters of a reason, as the rows keep it."""


@dataclass(frozen=True)
class Move:
    """One button.

    permission: its codename, of the row's own app. do: `(row, by, reason)`, gives why it was not
    done, or nothing. offered: whether this row can be moved so at all.
    """

    name: str
    label: Promise
    permission: str
    do: Callable[[Any, str, str], str]
    offered: Callable[[Any], bool]


class MovingAdmin(FactsAdmin[Row]):
    """Facts with buttons."""

    moves: ClassVar[Sequence[Move]] = ()

    def get_urls(self) -> list[URLPattern]:
        own = [
            path(
                f"<path:object_id>/{move.name}/",
                self.admin_site.admin_view(require_POST(self._view(move))),
                name=self._url_name(move),
            )
            for move in self.moves
        ]
        return own + super().get_urls()

    def buttons(self, request: HttpRequest, row: Row) -> list[dict[str, Any]]:
        """Those that can be pressed on this row; where this visitor may not, with why not."""
        return [
            {
                "label": move.label,
                "url": reverse(f"admin:{self._url_name(move)}", args=[row.pk]),
                "why_not": "" if self._may(request, move) else why_not(self.opts, move.permission),
            }
            for move in self.moves
            if move.offered(row)
        ]

    def _view(self, move: Move) -> Callable[..., HttpResponse]:
        def view(request: HttpRequest, object_id: str) -> HttpResponse:
            if not self._may(request, move):
                raise PermissionDenied
            row = self.get_object(request, object_id)
            if row is None:
                raise Http404
            if not self._move(request, move, row):
                return HttpResponseRedirect(page_url(row))
            return self.moved(request, move, row)

        return view

    def moved(self, request: HttpRequest, move: Move, row: Any) -> HttpResponse:
        """What is shown when it was done: the row's own page, unless there is more to say."""
        return HttpResponseRedirect(page_url(row))

    def _move(self, request: HttpRequest, move: Move, row: Any) -> bool:
        """Whether it was done."""
        reason = reason_given(request)
        why_not = move.do(row, request.user.get_username(), reason) if reason else no_reason()
        if why_not:
            messages.error(request, _("Nothing was done: %(why)s.") % {"why": why_not})
        else:
            messages.success(request, _("Done: %(what)s.") % {"what": move.label})
        return not why_not

    def _may(self, request: HttpRequest, move: Move) -> bool:
        allowed = request.user.has_perm(f"{self.opts.app_label}.{move.permission}")
        return allowed and self.has_view_permission(request)

    def _url_name(self, move: Move) -> str:
        return f"{self.opts.app_label}_{self.opts.model_name}_{move.name}"


def reason_given(request: HttpRequest, field: str = "reason") -> str:
    """The reason that was typed; empty when it is none that could be kept."""
    reason = request.POST.get(field, "").strip().replace("\0", "")
    return reason if len(reason) <= MOST_REASON else ""


def no_reason() -> str:
    return _("give a reason of 1 to %(most)d characters") % {"most": MOST_REASON}
