"""The seam between analytics and the relays' housekeeping: what is done now and then."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Count, QuerySet

from notifications import retention
from notifications.chores import Chore, register
from notifications.models import Delivery
from orders_site.analytics import days
from orders_site.analytics.models import DailyFigures
from orders_site.analytics.services import Outcomes, compute_next, prune_events, take_note

LOOK_BACK = timedelta(days=7)
"""For which deliveries are looked after: within three days providers say what became of one."""

SLACK = timedelta(minutes=10)
"""A delivery says when it was changed, not when that was committed: its transaction is shorter."""


def roll_up(*, go_on: Callable[[], bool], **_: Any) -> int:
    """Compute the days on which something happened of which we heard since; how many."""
    while go_on() and take_note():
        pass
    computed = 0
    while go_on() and compute_next(outcomes=outcomes):
        computed += 1
    return computed


def look_back(*, go_on: Callable[[], bool], **_: Any) -> int:
    """Mark the late days stale whose notifications moved on since they were computed; how many."""
    late = DailyFigures.objects.filter(day__gt=days.today() - LOOK_BACK, stale=False)
    moved = []
    for figures in late.order_by("-day"):
        if not go_on():
            break
        made = _made(*days.bounds(figures.day))
        if made.filter(updated_at__gt=figures.computed_at - SLACK).exists():
            moved.append(figures.day)
    return DailyFigures.objects.mark_stale(moved)


def prune(*, go_on: Callable[[], bool], **_: Any) -> int:
    """Delete the events that have been kept for their days; how many."""
    deleted = 0
    while go_on() and (some := prune_events()):
        deleted += some
    return deleted


def outcomes(start: datetime, end: datetime) -> Outcomes | None:
    """What became of the notifications of this time, as far as it is known; None where some of
    them may have been deleted."""
    if start < retention.inbox_since():
        return None
    rows = _made(start, end).values_list("channel", "state").annotate(Count("id"))
    return {(channel, state): count for channel, state, count in rows.order_by()}


def _made(start: datetime, end: datetime) -> QuerySet[Delivery]:
    return Delivery.objects.filter(created_at__gte=start, created_at__lt=end)


register(Chore("rolling up the days' figures", every=60, run=roll_up))
register(Chore("looking what became of notifications", every=600, run=look_back))
register(Chore("deleting recorded events", every=3600, run=prune))
