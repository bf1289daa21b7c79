"""Burn: how fast the part that may be late is spent, and when that is worth waking somebody for.

The arithmetic of "The Site Reliability Workbook" (Google, O'Reilly 2018), chapter 5, "Alerting on
SLOs". The error budget is the part that may be late over the objective's window; the burn rate says
how many times faster than evenly it is spent. Worth waking somebody for is 2 % of a budget in an
hour or 5 % in six, both by the whole of that time and by the last twelfth of it, so that it ends
when the trouble does ("6: Multiwindow, Multi-Burn-Rate Alerts"). Of 30 days that is a burn rate of
14.4, or 6.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum
from typing import NamedTuple

from notifications.conf import Objective
from notifications.models.punctuality import Tally

WINDOWS: Mapping[str, timedelta] = {
    "5m": timedelta(minutes=5),
    "30m": timedelta(minutes=30),
    "1h": timedelta(hours=1),
    "6h": timedelta(hours=6),
}
"""Of which the burn is told, as metrics name them."""

HOUR, DAY, WHOLE = "1h", "1d", "whole"
"""Of which it is told how many were in time; the last is the objective's own window."""

NEARLY_ALL = 0.9
"""Late ones among all, beyond which it is bad whatever the budget: where a fifth may be late, no
burn rate exceeds 5."""


class Word(StrEnum):
    """fine: slower than evenly, the budget outlasts its window. fast: worth waking somebody for."""

    FINE = "fine"
    BURNING = "burning"
    FAST = "fast"


class Alert(NamedTuple):
    """When `budget` of it is spent within `long`, and `short` says that it goes on."""

    budget: float
    long: str
    short: str

    def burn_of(self, objective: Objective) -> float:
        """From which on."""
        return min(
            self.budget * (objective.window / WINDOWS[self.long]),
            NEARLY_ALL / (1 - objective.part),
        )


QUICK, LASTING = Alert(0.02, "1h", "5m"), Alert(0.05, "6h", "30m")
"""Table 5-8 of that chapter: those by which somebody is paged."""

_ALERTS = {window: alert for alert in (QUICK, LASTING) for window in (alert.long, alert.short)}


@dataclass(frozen=True)
class Standing:
    """Where one objective stands. tallies: by window."""

    event_type: str
    objective: Objective
    tallies: Mapping[str, Tally] = field(default_factory=dict)

    def told(self, window: str) -> Tally:
        return self.tallies.get(window, Tally())

    def burn(self, window: str) -> float | None:
        """How fast the budget is spent: 1 spends all of it in its window, evenly. None: nothing was
        due."""
        part = self.told(window).part
        return None if part is None else (1 - part) / (1 - self.objective.part)

    @property
    def left(self) -> float | None:
        """Of the budget of its window; below 0: more was late than may be."""
        spent = self.burn(WHOLE)
        return None if spent is None else 1 - spent

    def word(self, window: str) -> Word:
        """How bad the burn of this window is by itself."""
        burn = self.burn(window) or 0.0
        if burn >= _ALERTS[window].burn_of(self.objective):
            return Word.FAST
        return Word.BURNING if burn >= 1 else Word.FINE

    @property
    def is_fast(self) -> bool:
        """Whether it is worth waking somebody for."""
        return any(self._rings(alert) for alert in (QUICK, LASTING))

    def _rings(self, alert: Alert) -> bool:
        enough = self.told(alert.long).late >= self.objective.least
        return enough and all(
            self.word(window) is Word.FAST for window in (alert.long, alert.short)
        )
