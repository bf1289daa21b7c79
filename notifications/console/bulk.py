"""Bulk work: what would be done, to how many, and what not, before it is left to the relays.

    confirm_url(Job.Kind.REDRIVE, {"fingerprint": ["3f1c09a2b7d4e865"], "limit": 5})

A GET, or a POST with `step=ask` where a selection is too long for an address, shows what would
happen. The number that it shows is posted back with the reason: where more are meant by then,
nothing is begun, and it is asked anew.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.db.models import Model
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, QueryDict
from django.utils.html import format_html
from django.utils.http import urlencode
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from notifications import jobs, weighing
from notifications.admin.display import ago, page_url, span
from notifications.admin.moves import reason_given
from notifications.admin.permitted import refusal
from notifications.admin.related import may_view
from notifications.conf import conf
from notifications.console import asking, pages
from notifications.console.pages import Page, register
from notifications.jobs import AlreadyOpen, MoreThanCounted, Refused
from notifications.models import Job
from notifications.undertakings import Undertaking, number, undertaking
from notifications.weighing import Weighed
from notifications.work import Filter

RUN, OVERRIDE = "run_bulk_job", "override_refusals"

_OF_THE_FORM = frozenset(
    {
        *("kind", "step", "override", "why", "rate", "counted", "typed", "pace"),
        *("csrfmiddlewaretoken", "_changelist_filters"),
    }
)
"""Parameters that are no filters: no filter of any work may have one of these names."""

_GROUPED_BY = {
    "channel": _("Channel"),
    "queue": _("Queue"),
    "destination": _("Queue"),
    "type": _("Event type"),
}


def confirm_url(kind: str, wanted: Filter) -> str:
    """Where this is confirmed and begun. wanted: a filter as jobs keep it, or with a limit."""
    return f"{pages.url('bulk')}?{urlencode({'kind': str(kind), **_listed(wanted)}, doseq=True)}"


def bulk(request: HttpRequest) -> HttpResponse:
    given = request.POST if request.method == "POST" else request.GET
    filters = _filters(given)
    if mistyped := not all(_is_number(each) for each in filters.getlist("limit")):
        del filters["limit"]
    try:
        chosen = undertaking(given.get("kind", ""))
        wanted = chosen.read(filters)
    except Refused as error:
        context = {"title": gettext("Bulk work"), "wrong": error.message}
        response = pages.render(request, "bulk.html", **context)
        response.status_code = 400
        return response
    if not may_view(request, chosen.model):
        raise PermissionDenied
    asked = _Asked(request, chosen, wanted, override="override" in given and chosen.overridable)
    if mistyped:
        return asked.count_again()
    if request.method == "POST" and given.get("step") == "begin":
        return asked.begin()
    return asked.show()


def _filters(given: QueryDict) -> QueryDict:
    """What is no field of our own form. An empty value stays, and is refused: left out, it would
    mean more than was meant."""
    filters = given.copy()
    for name in _OF_THE_FORM:
        filters.pop(name, None)
    if filters.getlist("limit") == [""]:
        del filters["limit"]
    return filters


class _Asked:
    """One kind of work on what one filter means, as somebody asks for it."""

    def __init__(
        self, request: HttpRequest, chosen: Undertaking, wanted: dict[str, Any], *, override: bool
    ) -> None:
        self.request = request
        self.chosen = chosen
        self.wanted = wanted
        self.override = override

    def show(self, wrong: str = "") -> HttpResponse:
        """What would be done, and the form that begins it."""
        allowed = self._lacks(self.chosen.permission) == ""
        try:
            # The shop is asked for whoever may begin it only: that costs it something.
            weighed = (
                weighing.weigh(self.chosen, self.wanted, override=self.override)
                if allowed
                else weighing.count(self.chosen, self.wanted)
            )
        except Refused as error:
            return self._render(wrong=error.message)
        rate = self._rate or self.chosen.rate
        going = weighed.would if weighed.is_whole else weighed.total
        alike = jobs.alike(self.chosen.work(), self.wanted, override=self.override)
        return self._render(
            wrong=wrong,
            weighed=weighed,
            examples=[self._named(each) for each in weighed.examples],
            left=[
                {
                    "outcome": left.outcome,
                    "why": left.why,
                    "count": left.count,
                    "examples": [self._named(each) for each in left.examples],
                }
                for left in weighed.left
            ],
            allowed=allowed,
            why_not=self._why_not(weighed),
            alike=alike,
            alike_url=page_url(alike) if alike else "",
            alike_began=ago(alike.created_at) if alike else "",
            rate=f"{rate:g}",
            fastest=f"{self.chosen.fastest:g}",
            lasts=span(timedelta(seconds=going / rate)) if going else "",
            must_type=weighed.total > conf().bulk.typed_above,
            staged=self.chosen.staged,
        )

    def count_again(self) -> HttpResponse:
        """For a limit that is no number. Nothing is begun from there: without it, all would be."""
        response = self._render(
            wrong=gettext("Give a whole number from 1, or leave it empty: then all are meant.")
        )
        response.status_code = 400
        return response

    def begin(self) -> HttpResponse:
        """Begin it, or say why not."""
        counted = _whole(self.request.POST.get("counted", ""))
        if self._lacks(self.chosen.permission) or (self.override and self._lacks(OVERRIDE)):
            raise PermissionDenied
        if counted != 1 and self._lacks(RUN):
            raise PermissionDenied
        if wrong := self._wrong(counted):
            return self.show(wrong)
        try:
            job = jobs.begin(
                self.chosen.work(),
                self.wanted,
                by=self.request.user.get_username(),
                reason=self._reason,
                rate=self._rate or self.chosen.rate,
                override=self.override,
                stage=self.chosen.stage(at_once=self.request.POST.get("pace") == "at_once"),
                runner=Job.Runner.RELAY,
                counted=counted,
            )
        except MoreThanCounted:
            return self.show(gettext("More are meant by now: look at the new number, and confirm."))
        except AlreadyOpen:
            return self.show()
        text = gettext("Job %(number)d is begun; the relays run it.") % {"number": job.pk}
        messages.success(self.request, text)
        return HttpResponseRedirect(page_url(job))

    def _wrong(self, counted: int | None) -> str:
        """What is missing in the form, or cannot be."""
        if counted is None:
            return gettext("Look at the number first, and confirm it.")
        if said := _wrong_number(counted):
            return said
        if not self._reason:
            return asking.no_reason()
        if self._rate is None:
            return gettext("Give a rate of %(least)g to %(most)g a second.") % {
                "least": jobs.SLOWEST,
                "most": self.chosen.fastest,
            }
        typed_above = conf().bulk.typed_above
        if counted > typed_above and _whole(self.request.POST.get("typed", "")) != counted:
            return gettext("Type the number %(number)d to confirm it.") % {"number": counted}
        return ""

    def _why_not(self, weighed: Weighed) -> str:
        """Why this visitor may not begin it; empty when they may."""
        if said := self._lacks(self.chosen.permission):
            return said
        if self.override and (said := self._lacks(OVERRIDE)):
            return said
        if weighed.total > 1 and (said := self._lacks(RUN)):
            return said
        return _wrong_number(weighed.total)

    def _lacks(self, codename: str) -> str:
        """What one says who has no such permission; empty for who has it."""
        opts = Job._meta if codename in (RUN, OVERRIDE) else self.chosen.model._meta
        return refusal(self.request, opts, codename)

    @property
    def _reason(self) -> str:
        return reason_given(self.request, "why")

    @property
    def _rate(self) -> float | None:
        """None: no rate that this work may have."""
        try:
            rate = float(self.request.POST.get("rate", ""))
        except ValueError:
            rate = math.nan
        return rate if jobs.SLOWEST <= rate <= self.chosen.fastest else None

    def _named(self, subject: Model) -> str:
        words = [str(word) for word in list(self.chosen.row(subject).values())[1:] if word]
        return format_html('<a href="{}">{}</a>', page_url(subject), " · ".join(words))

    def _render(self, **context: Any) -> HttpResponse:
        fields = {"kind": [str(self.chosen.kind)], **_listed(self.wanted)}
        return pages.render(
            self.request,
            "bulk.html",
            title=self.chosen.title,
            action=pages.url("bulk"),
            asked=[(name, ", ".join(map(str, values))) for name, values in fields.items()][1:],
            fields=[(name, value) for name, values in fields.items() for value in values],
            without_limit=[
                (name, value)
                for name, values in fields.items()
                if name != "limit"
                for value in values
            ],
            limit=self.wanted.get("limit", ""),
            override=self.override,
            overridable=self.chosen.overridable,
            reason=self._reason,
            grouped_by=_GROUPED_BY.get(self.chosen.grouped_by, self.chosen.grouped_by),
            **context,
        )


def _is_number(text: str) -> bool:
    try:
        return number(text) > 0
    except ValueError:
        return False


def _wrong_number(count: int) -> str:
    """Why so many are not begun on a page; empty when they are."""
    if not count:
        return gettext("Nothing is meant by it now.")
    if count > (most := conf().bulk.most):
        said = gettext("More than %(most)d are not begun on a page: give a limit.")
        return said % {"most": most}
    return ""


def _listed(wanted: Mapping[str, Any]) -> dict[str, list[Any]]:
    several = (list, tuple, set, frozenset)
    return {
        name: list(value) if isinstance(value, several) else [value]
        for name, value in wanted.items()
    }


def _whole(text: str) -> int | None:
    """As it is typed: "1,200" and "1 200" as well. None: no such number."""
    digits = "".join(text.replace(",", "").replace(".", "").split())
    return int(digits) if digits.isascii() and digits.isdecimal() and len(digits) < 19 else None


register(Page("bulk", "bulk/", _("Bulk work"), "notifications.view_job", bulk, listed=False))
