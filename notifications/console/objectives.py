"""Objectives: the overview's table of them, and the page of those who were told late."""

from __future__ import annotations

from dataclasses import dataclass

from django.http import Http404, HttpRequest, HttpResponse
from django.utils.functional import Promise
from django.utils.safestring import SafeString
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_safe

from notifications import objectives
from notifications.admin.display import (
    BAD,
    EMPTY,
    GOOD,
    TROUBLE,
    ago,
    badge,
    exact,
    link,
    number,
    percent,
    span,
    two_lines,
)
from notifications.burn import DAY, HOUR, WHOLE, WINDOWS, Standing, Word
from notifications.conf import Objective, conf
from notifications.console import pages
from notifications.console.links import Links
from notifications.console.pages import Page
from notifications.durations import words
from notifications.models import Delivery
from notifications.models.judgement import Late

WORDS: dict[Word, tuple[str, Promise]] = {
    Word.FINE: (GOOD, _("fine")),
    Word.BURNING: (TROUBLE, _("burning")),
    Word.FAST: (BAD, _("fast")),
}

LOW = 0.25
"""Of the budget left, below which it is shown as trouble."""


@dataclass(frozen=True)
class Line:
    """One objective. key: unique on the page, so that the refresh finds it again."""

    key: str
    name: object
    cells: tuple[object, ...]


def headings() -> list[object]:
    """Of the cells; the name's is the template's."""
    burns = (
        two_lines(gettext("Burn"), words(window.total_seconds())) for window in WINDOWS.values()
    )
    return [
        gettext("Objective"),
        two_lines(gettext("In time"), gettext("last hour")),
        two_lines(gettext("In time"), gettext("last day")),
        two_lines(gettext("In time"), gettext("whole window")),
        two_lines(gettext("Budget"), gettext("left")),
        *burns,
    ]


def lines(standings: list[Standing]) -> list[Line]:
    return [
        Line(
            standing.event_type,
            link(late_url(standing.event_type), standing.event_type),
            (
                two_lines(*_goal(standing.objective)),
                *(_told(standing, window) for window in (HOUR, DAY, WHOLE)),
                _left(standing),
                *(_burn(standing, window) for window in WINDOWS),
            ),
        )
        for standing in standings
    ]


def late_url(event_type: str) -> str:
    return pages.url("late", event_type)


@require_safe
def late(request: HttpRequest, event_type: str) -> HttpResponse:
    """The latest that were told late, or not yet."""
    objective = conf().objectives.get(event_type)
    if objective is None:
        raise Http404
    links = Links(request)
    found = objectives.late(event_type)
    return pages.render(
        request,
        "late.html",
        title=gettext("Told late: %(event_type)s") % {"event_type": event_type},
        goal=" ".join(_goal(objective)),
        days=objectives.KEPT.days,
        rows=[_row(links, each) for each in found],
    )


def _row(links: Links, found: Late) -> dict[str, object]:
    after: object = badge(gettext("not told"), tone=BAD)
    if found.told_at is not None:
        after = span(found.told_at - found.recorded_at)
    return {
        "key": found.event_id,
        "subject": two_lines(
            links.subject(found.subject),
            links.list(Delivery, gettext("its deliveries"), q=str(found.event_id)),
        ),
        "recorded": two_lines(exact(found.recorded_at), ago(found.recorded_at)),
        "after": after,
    }


def _goal(objective: Objective) -> tuple[str, str]:
    """ "95 %", "within 1 min"."""
    within = {"within": words(objective.within.total_seconds())}
    return f"{100 * objective.part:g} %", gettext("within %(within)s") % within


def _told(standing: Standing, window: str) -> SafeString | str:
    tally = standing.told(window)
    if tally.part is None:
        return EMPTY
    figures = {"late": number(tally.late), "due": number(tally.due)}
    below: object = gettext("%(late)s late of %(due)s") % figures
    if tally.late:
        below = link(late_url(standing.event_type), below)
    return two_lines(percent(tally.part), below)


def _left(standing: Standing) -> SafeString | str:
    left = standing.left
    if left is None:
        return EMPTY
    tone = BAD if left <= 0 else TROUBLE if left < LOW else GOOD
    shown = badge(f"{100 * left:.0f} %", tone=tone)
    window = words(standing.objective.window.total_seconds())
    return two_lines(shown, gettext("of %(window)s") % {"window": window})


def _burn(standing: Standing, window: str) -> SafeString | str:
    burn = standing.burn(window)
    if burn is None:
        return EMPTY
    tone, said = WORDS[standing.word(window)]
    return two_lines(
        badge(str(said), tone=tone), f"{burn:.1f}\N{NO-BREAK SPACE}\N{MULTIPLICATION SIGN}"
    )


pages.register(
    Page(
        "late",
        "late/<str:event_type>/",
        _("Told late"),
        "notifications.view_delivery",
        late,
        listed=False,
    )
)
