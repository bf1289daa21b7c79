"""System checks of what part of the customers is to be told how soon."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from django.core.checks import CheckMessage, Error, Warning

from notifications import events, objectives
from notifications.conf import Objective, conf
from notifications.events import EventType
from notifications.exceptions import UnknownEvent


def check_objectives() -> Iterator[CheckMessage]:
    """Each is of an event that there is, can be met and missed, and of which somebody is told."""
    for name, objective in sorted(conf().objectives.items()):
        where = f'NOTIFICATIONS["OBJECTIVES"][{name!r}]'
        try:
            kind = events.newest(name)
        except UnknownEvent:
            yield Error(
                f"{where}: nobody has registered such an event type.",
                hint="Mend its name, or register it with @event.",
                id="notifications.E086",
            )
            continue
        for problem in _problems(objective, kind):
            yield Error(
                f"{where}: {problem}.",
                hint="Give Objective(part=0.95, within=timedelta(seconds=60)), say.",
                id="notifications.E087",
            )
        yield from _nobody(where, name, objective)


def _problems(objective: Objective, kind: EventType) -> Iterator[str]:
    yield from objective.problems()
    within, worth = objective.within, kind.worth_sending_for
    if isinstance(within, timedelta) and within > worth:
        yield f"within is {within}, and after {worth} the event is worth sending no more"


def _nobody(where: str, name: str, objective: Objective) -> Iterator[CheckMessage]:
    telling = objectives.channels_of(name, objective)
    lost = sorted({*objective.channels} - {*telling})
    if telling and not lost:
        return
    said = f"by {', '.join(lost)}" if lost else f"on the route {objective.route!r}"
    yield Warning(
        f"{where}: nobody is told of it {said}, each event by itself: there is nothing to measure.",
        hint='Give it a Route without a digest in NOTIFICATIONS["ROUTES"], or name another route '
        "or other channels.",
        id="notifications.W088",
    )
