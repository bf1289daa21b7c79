"""Selection: rows of a list, or all that its filter matches, handed on to bulk work.

    class SomeAdmin(SelectingAdmin[Row]):
        bulk = (Bulk("resend", _("Send again…"), "resend_delivery", "delivery"),)

Nothing is done from the list itself: it leads to the page that says how many and asks for a reason.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from django.contrib import messages
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils.functional import Promise
from django.utils.translation import gettext as _

from notifications.admin.changelist import KeysetChangeList
from notifications.admin.facts import FactsAdmin, Row
from notifications.admin.permitted import refusal
from notifications.console import bulk
from notifications.models import Job

Action = tuple[Callable[..., Any], str, Any] | None


@dataclass(frozen=True)
class Bulk:
    """One thing that jobs do to many rows.

    kind: the job's. permission: to do it to one row, its codename in the row's own app; to many,
    `run_bulk_job` is needed too. key: what a job's filter names the rows' keys by.
    """

    kind: str
    label: Promise
    permission: str
    key: str


class SelectingAdmin(FactsAdmin[Row]):
    """Lists with a box before each row, and what may be done to the selected ones or to all."""

    bulk: ClassVar[Sequence[Bulk]] = ()
    too_many: ClassVar[Promise | str] = ""
    """What is said where `wanted` is empty."""

    def wanted(self, changelist: KeysetChangeList) -> Mapping[str, Any]:
        """The filter of the list, as the job's has it: the very same rows. Empty: too many."""
        raise NotImplementedError

    def choices(self, request: HttpRequest, changelist: KeysetChangeList) -> list[dict[str, Any]]:
        """The buttons above the list; `all_url` leads on with all that its filter matches."""
        wanted = self.wanted(changelist)
        return [
            {
                "kind": each.kind,
                "label": each.label,
                "why_not": self._why_not(request, each),
                "all_url": bulk.confirm_url(each.kind, wanted) if wanted else "",
                "too_many": self.too_many,
            }
            for each in self.bulk
        ]

    def get_actions(self, request: HttpRequest) -> dict[str, Action]:
        """Django's own actions: they put the box before each row, and take what is selected."""
        own: dict[str, Action] = {
            each.kind: (_handed_on(each), each.kind, each.label)
            for each in self.bulk
            if not self._why_not(request, each)
        }
        return {**super().get_actions(request), **own}

    def response_action(
        self, request: HttpRequest, queryset: QuerySet[Any], *args: Any, **kwargs: Any
    ) -> HttpResponse | None:
        """What has moved on since the list was shown stays selected: the job looks at each."""
        if request.POST.get("select_across", "0") != "0":  # no form of ours asks for it
            messages.error(request, _("Choose rows, or all that match: see below."))
            return None
        key = self.opts.pk
        try:
            for text in request.POST.getlist(ACTION_CHECKBOX_NAME):
                key.to_python(text)
        except ValidationError:
            messages.error(request, _("There is no such row."))
            return None
        return super().response_action(request, self.get_queryset(request), *args, **kwargs)

    def _why_not(self, request: HttpRequest, each: Bulk) -> str:
        return refusal(request, self.opts, each.permission) or refusal(
            request, Job._meta, "run_bulk_job"
        )


def _handed_on(each: Bulk) -> Callable[..., HttpResponse]:
    def act(model_admin: Any, request: HttpRequest, selected: QuerySet[Any]) -> HttpResponse:
        keys = [str(key) for key in selected.order_by("pk").values_list("pk", flat=True)]
        return HttpResponseRedirect(bulk.confirm_url(each.kind, {each.key: keys}))

    return act
