"""Weighing: what bulk work would do, before it is begun: how many, which, and what is left out.

How many is counted. What would become of each is asked of the work, item by item, and so of the
shop: of the first WEIGHED, for BUDGET seconds at most, and what is said of them says so.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from django.db import router
from django.db.models import Count, QuerySet
from django.utils.translation import gettext

from notifications import jobs
from notifications.jobs import Refused
from notifications.models import Job
from notifications.patience import TookTooLong, patience
from notifications.undertakings import Undertaking
from notifications.work import Verdict

WEIGHED = 1000
BUDGET = 2.0
PATIENCE = 15.0
"""Seconds for which the database may count."""

EXAMPLES = 5


@dataclass
class Left:
    """What is left out for one reason; how many of those that were weighed, and some of them."""

    outcome: str
    why: str
    count: int = 0
    examples: list[Any] = field(default_factory=list)


@dataclass
class Weighed:
    """total: how many are meant; groups: of which channel (queue, type) how many. looked_at: how
    many were weighed, `would` of them would be done, and the others are in `left`."""

    total: int
    groups: list[tuple[str, int]]
    looked_at: int = 0
    would: int = 0
    examples: list[Any] = field(default_factory=list)
    left: list[Left] = field(default_factory=list)

    @property
    def is_whole(self) -> bool:
        return self.looked_at == self.total

    @property
    def left_out(self) -> int:
        return self.looked_at - self.would


def count(undertaking: Undertaking, wanted: Mapping[str, Any]) -> Weighed:
    """How many the filter means, and of what. Raises Refused where that takes too long."""
    meant = jobs.meant(undertaking.work(), wanted)
    try:
        return _counted(meant, undertaking.grouped_by)
    except TookTooLong:
        raise Refused(
            gettext(
                "These are too many to be counted in %(patience)s seconds: narrow the "
                "filter, or give a limit."
            )
            % {"patience": f"{PATIENCE:g}"}
        ) from None


def weigh(undertaking: Undertaking, wanted: Mapping[str, Any], *, override: bool) -> Weighed:
    """The same, and what would become of the first of them."""
    weighed = count(undertaking, wanted)
    work = undertaking.work()
    job = Job(kind=work.kind, filter=dict(wanted), override=override)
    found = jobs.meant(work, wanted).order_by(work.made_at, "pk")[:WEIGHED]
    until = time.monotonic() + BUDGET
    left: dict[tuple[str, str], Left] = {}
    for subject in found.iterator(chunk_size=100):
        verdict = jobs.weigh(work, subject, job)
        weighed.looked_at += 1
        if verdict.is_yes:
            weighed.would += 1
            weighed.examples += [subject] if len(weighed.examples) < EXAMPLES else []
        else:
            _leave(left, subject, verdict)
        if time.monotonic() > until:
            break
    weighed.left = sorted(left.values(), key=lambda each: -each.count)
    return weighed


def _leave(left: dict[tuple[str, str], Left], subject: Any, verdict: Verdict) -> None:
    """By the beginning of its reason: "no_longer_named: …" has a name in each."""
    beginning = verdict.why.partition(":")[0]
    one = left.setdefault(
        (verdict.outcome, beginning), Left(str(verdict.outcome.label), verdict.why)
    )
    if one.why != verdict.why:
        one.why = beginning
    one.count += 1
    if len(one.examples) < EXAMPLES:
        one.examples.append(subject)


def _counted(meant: QuerySet[Any], column: str) -> Weighed:
    with patience(using=router.db_for_read(meant.model), seconds=PATIENCE):
        counted = meant.order_by().values_list(column).annotate(Count("pk")).order_by(column)
        groups = [(str(name), int(number)) for name, number in counted]
    return Weighed(sum(number for _, number in groups), groups)
