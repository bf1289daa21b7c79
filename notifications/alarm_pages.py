"""Alarm pages: what wakes somebody, where it leads, and which runbook says what to do.

    alarm_pages.of(Alarm.DEAD_LETTERS).path  →  "/admin/console/failures/"

One list for whoever raises an alarm (CloudWatch, Prometheus, our own overview), so that each says
the same name and leads to the same page. Before it stands where the console is: the template's
ConsoleUrl, Prometheus's `console_url`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from django.urls import NoReverseMatch, reverse

RUNBOOKS = "docs/operating.md"


class Alarm(StrEnum):
    QUEUE_DEPTH = "queue_depth"
    QUEUE_AGE = "queue_age"
    DEAD_LETTERS = "dead_letters"
    LAG = "lag"
    DISPATCH_AGE = "dispatch_age"
    SCHEDULED_REFUSED = "scheduled_refused"
    UNKNOWN_OUTCOMES = "unknown_outcomes"
    BOUNCE_RATE = "bounce_rate"
    OBJECTIVE_BURN = "objective_burn"
    METRICS_MISSING = "metrics_missing"


@dataclass(frozen=True)
class AlarmPage:
    """view: the page's URL name. query: what its list is narrowed to. fragment: where on it.

    anchor: of the runbook, in RUNBOOKS.
    """

    view: str
    anchor: str
    query: str = ""
    fragment: str = ""

    @property
    def path(self) -> str:
        """Where it is on the console's site; the site's root where there is no admin."""
        try:
            return reverse(self.view) + self.query + self.fragment
        except NoReverseMatch:
            return "/"

    @property
    def runbook(self) -> str:
        """Its place in the repository: "docs/operating.md#lag"."""
        return f"{RUNBOOKS}#{self.anchor}"


_PAGES: Mapping[Alarm, AlarmPage] = {
    Alarm.QUEUE_DEPTH: AlarmPage("admin:console_queues", "fleet-gone"),
    Alarm.QUEUE_AGE: AlarmPage("admin:console_queues", "lag"),
    Alarm.DEAD_LETTERS: AlarmPage("admin:console_failures", "dead-letters"),
    Alarm.LAG: AlarmPage("admin:console_overview", "lag"),
    Alarm.DISPATCH_AGE: AlarmPage(
        "admin:notifications_dispatch_changelist", "dispatch-age", query="?state=waiting"
    ),
    Alarm.SCHEDULED_REFUSED: AlarmPage(
        "admin:notifications_scheduledevent_changelist",
        "scheduled-refused",
        query="?state=refused",
    ),
    Alarm.UNKNOWN_OUTCOMES: AlarmPage(
        "admin:notifications_delivery_changelist", "unknown-outcomes", query="?state=unknown"
    ),
    Alarm.BOUNCE_RATE: AlarmPage("admin:console_providers", "bounce-rate"),
    Alarm.OBJECTIVE_BURN: AlarmPage("admin:console_overview", "lag", fragment="#objectives"),
    Alarm.METRICS_MISSING: AlarmPage("admin:console_overview", "metrics-missing"),
}


def of(alarm: Alarm) -> AlarmPage:
    return _PAGES[alarm]
