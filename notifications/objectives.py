"""Objectives: what part of an event type's customers is to be told how soon, and what is left of
the part that may be late.

    NOTIFICATIONS["OBJECTIVES"] = {"order.created": Objective(0.95, timedelta(seconds=60))}

The relays add up by the minute how many events were due and how many of these were told in time;
what counts is decision 0049. How fast the rest is spent: `notifications.burn`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, timedelta

from django.db.models import F
from django.utils.module_loading import import_string

from notifications import consumers, minutes, throughput
from notifications.burn import DAY, WHOLE, WINDOWS, Standing
from notifications.conf import Objective, Route, conf
from notifications.minutes import GRACE, MINUTE
from notifications.models import Punctuality
from notifications.models.judgement import Asked, Late, late_of
from notifications.models.punctuality import BY_HOUR, BY_MINUTE, Span, Tally

CATCH_UP = timedelta(days=1)
"""For which minutes are computed that nobody computed in time."""

AGES = (
    GRACE,
    timedelta(minutes=15),
    timedelta(hours=1),
    timedelta(hours=6),
    timedelta(hours=23),
)
"""At which a minute is computed again, besides when its last event was to be told: what a receipt
or an operator has settled by then is in it."""

KEPT = timedelta(days=3)
"""Minutes, which is longer than they are computed again. Hours are kept for the longest window."""

MOST_MINUTES = 60
"""With somebody late in them, that are looked at for who it was."""


def standings(*, at: throughput.Standing | None = None) -> list[Standing]:
    """Each objective, by event type. One statement, and one more where nobody says how far the
    relays have come (`throughput.standing`); none where there is no objective."""
    declared = sorted(conf().objectives.items())
    if not declared:
        return []
    until = (at or throughput.standing()).until
    spans = [span for name, objective in declared for span in _spans(name, objective, until)]
    found = Punctuality.objects.tallies(spans)
    return [
        Standing(
            name,
            objective,
            {window: found.get((name, window), Tally()) for window in (*WINDOWS, DAY, WHOLE)},
        )
        for name, objective in declared
    ]


def late(event_type: str, *, limit: int = 50) -> list[Late]:
    """The latest events of that type that were not told in time, of the last days. None where it
    has no objective."""
    objective = conf().objectives.get(event_type)
    if objective is None:
        return []
    asked = _asked(event_type, objective)
    rows = Punctuality.objects.filter(width=BY_MINUTE, event_type=event_type)
    with_some = rows.filter(in_time__lt=F("due")).order_by("-start")
    found: list[Late] = []
    for minute in with_some.values_list("start", flat=True)[:MOST_MINUTES]:
        found += late_of(minute, asked=asked, limit=limit - len(found), using=rows.db)
        if len(found) >= limit:
            break
    return found


def roll_up(*, using: str, go_on: Callable[[], bool]) -> int:
    """A relay's chore: compute the minutes that are due, the latest first; how many."""
    asked = [_asked(name, objective) for name, objective in sorted(conf().objectives.items())]
    if not asked:
        return 0
    rows = Punctuality.objects.using(using)

    def compute(since: datetime, until: datetime) -> None:
        rows.compute(since, until, asked=asked)

    due = rows.due(CATCH_UP, _ages(), types=[each.event_type for each in asked])
    return minutes.roll_up(due, compute, lock="notifications/punctuality", using=using, go_on=go_on)


def longest() -> timedelta:
    """The longest window of an objective; what was measured for one is kept for so long."""
    windows = (objective.window for objective in conf().objectives.values())
    return max(windows, default=timedelta())


def channels_of(event_type: str, objective: Objective) -> tuple[str, ...]:
    """Those whose deliveries count: that tell the objective's route, each event by itself."""
    routes = [
        route
        for route in conf().routes.get(event_type, ())
        if route.name == objective.route and route.digest is None
    ]
    return tuple(dict.fromkeys(route.channel for route in routes if _counts(route, objective)))


def _counts(route: Route, objective: Objective) -> bool:
    if objective.channels:
        return route.channel in objective.channels
    described = conf().channels.get(route.channel)
    return described is None or all(_tells_people(each.adapter) for each in described.each)


def _tells_people(path: str) -> bool:
    """Of an adapter that cannot be made, its own check says so."""
    try:
        return bool(getattr(import_string(path), "tells_people", True))
    except ImportError:
        return True


def _asked(event_type: str, objective: Objective) -> Asked:
    channels = channels_of(event_type, objective)
    return Asked(
        event_type,
        objective.route,
        objective.within.total_seconds(),
        channels,
        tuple(consumers.name_serving(channel) for channel in channels),
    )


def _ages() -> Sequence[timedelta]:
    judged = {objective.within + GRACE for objective in conf().objectives.values()}
    return sorted({*AGES, *judged})


def _spans(event_type: str, objective: Objective, until: datetime) -> Iterator[Span]:
    """Up to the last minute of which each event's time is over. Of a later one only those are known
    that were told in time: with an hour to tell them in, the last five minutes were never bad. The
    last day and the whole window by the hour, the one under way with them."""
    until -= -(-objective.within // MINUTE) * MINUTE
    for name, width in WINDOWS.items():
        yield Span(event_type, name, BY_MINUTE, until - width, until)
    for name, width in ((DAY, timedelta(days=1)), (WHOLE, objective.window)):
        yield Span(event_type, name, BY_HOUR, until - width, until)
