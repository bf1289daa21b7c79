"""Needs: what does not mend itself, and so wants a person now.

Each is looked up by an index and counted up to MOST only: the index of the admin shows them too.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from django.db.models import Min, Q, QuerySet
from django.db.models.functions import Now
from django.utils import timezone
from django.utils.formats import number_format
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from notifications import burn, objectives, throughput, topology
from notifications.durations import words
from notifications.models import (
    Announcement,
    Breaker,
    DeadLetter,
    Delivery,
    Dispatch,
    Job,
    Pause,
    ScheduledEvent,
    WorkerProcess,
)
from notifications.models.worker_process import SILENCE

MOST = 1000
"""Of one kind are counted; "1,000+" is as bad as any number."""

NAMED = 5
"""Of them are named in a sentence."""

UNPUBLISHED = timedelta(seconds=60)
"""For which something due may wait for a relay: it takes a second where there is one."""

MANY_TRIES = 7
"""To publish one message: they take a minute."""

RELAY_SILENCE = timedelta(minutes=3)
"""After which no relay is taken to be alive: one adds up every minute that is over."""


class Kind(StrEnum):
    RELAYS = "relays"
    OBJECTIVES = "objectives"
    UNPUBLISHED = "unpublished"
    SCHEDULED = "scheduled"
    DEAD_LETTERS = "dead_letters"
    UNKNOWN = "unknown"
    BREAKERS = "breakers"
    PAUSES = "pauses"
    UNSERVED = "unserved"
    JOBS = "jobs"
    ANNOUNCEMENTS = "announcements"


@dataclass(frozen=True)
class Need:
    """count: up to MOST. names: which, where they have names (queues, accounts, jobs). since: the
    oldest's, where time tells how bad it is."""

    kind: Kind
    count: int
    names: tuple[str, ...] = ()
    since: datetime | None = None

    @property
    def text(self) -> str:
        """In the language of whoever reads it."""
        count = number_format(self.count, force_grouping=True) + ("+" if self.count >= MOST else "")
        age = words((timezone.now() - self.since).total_seconds()) if self.since else ""
        said = _sentence(self.kind, self.count, bool(self.since))
        return said % {"count": count, "age": age, "names": self._named}

    @property
    def _named(self) -> str:
        names, left = ", ".join(self.names[:NAMED]), len(self.names) - NAMED
        if left <= 0:
            return names
        return _("%(names)s and %(count)s more") % {"names": names, "count": left}


def now(
    *,
    relays: throughput.Standing | None = None,
    told: list[burn.Standing] | None = None,
) -> list[Need]:
    """The most pressing first; none: nothing needs anybody. Raises what the database does.

    relays: how far they have come; told: where the objectives stand; where that is known already.
    """
    relays = relays or throughput.standing()
    told = objectives.standings(at=relays) if told is None else told
    return [need for need in _all(relays, told) if need.count]


def _all(relays: throughput.Standing, told: list[burn.Standing]) -> Iterator[Need]:
    yield _relays(relays.computed_at)
    burning = tuple(each.event_type for each in told if each.is_fast)
    yield Need(Kind.OBJECTIVES, len(burning), burning)
    yield _unpublished()
    yield Need(Kind.SCHEDULED, _count(ScheduledEvent.objects.refused()))
    yield Need(Kind.DEAD_LETTERS, _count(DeadLetter.objects.open().order_by("id")))
    unknown = Delivery.objects.filter(state=Delivery.State.UNKNOWN, next_try_at=None)
    yield Need(Kind.UNKNOWN, _count(_as_its_index(unknown).order_by("created_at")))
    yield _named(Kind.BREAKERS, Breaker.objects.filter(state=Breaker.State.OPEN), "account")
    yield _named(Kind.PAUSES, Pause.objects.in_force(), "name")
    yield _unserved()
    yield _named(Kind.JOBS, Job.objects.filter(state=Job.State.STOPPED), "id")
    paused = Announcement.objects.filter(state=Announcement.State.PAUSED)
    yield _named(Kind.ANNOUNCEMENTS, paused, "id")


def _relays(latest: datetime | None) -> Need:
    alive = latest is not None and timezone.now() - latest < RELAY_SILENCE
    return Need(Kind.RELAYS, 0 if alive else 1, since=latest)


def _unpublished() -> Need:
    """What is claimed is being published: its relay's lease is shorter than this."""
    late = Q(due_since__lt=Now() - UNPUBLISHED) | Q(tries__gte=MANY_TRIES)
    rows = Dispatch.objects.overdue().filter(late).order_by("available_at")
    count = _count(rows)
    since = rows.aggregate(at=Min("due_since"))["at"] if count else None
    return Need(Kind.UNPUBLISHED, count, since=since)


def _unserved() -> Need:
    """The queues from which no live worker receives, a pause aside."""
    alive = WorkerProcess.objects.alive().filter(beat_at__gte=Now() - SILENCE)
    named = alive.values_list("queues", flat=True)
    served = {queue["name"] for queues in named for queue in queues}
    queues = [each for each in topology.current().queues if not each.role.is_grave]
    names = tuple(sorted(queue.name for queue in queues if queue.name not in served))
    return Need(Kind.UNSERVED, len(names), names)


def _named(kind: Kind, rows: QuerySet[Any], column: str) -> Need:
    found = rows.order_by(column).values_list(column, flat=True)[:MOST]
    names = tuple(map(str, found))
    return Need(kind, len(names), names)


def _as_its_index(rows: QuerySet[Delivery]) -> QuerySet[Delivery]:
    """PostgreSQL takes a partial index only where its condition is seen to hold."""
    return rows.exclude(state__in=["sent", "delivered", "skipped"])


def _count(rows: QuerySet[Any]) -> int:
    return len(rows.values_list("pk", flat=True)[:MOST])


def _sentence(kind: Kind, count: int, timed: bool) -> str:
    match kind:
        case Kind.RELAYS:
            if timed:
                return _("No relay has been at work for %(age)s.")
            return _("No relay is at work.")
        case Kind.OBJECTIVES:
            return ngettext(
                "Customers are told too late, %(count)s objective is being missed: %(names)s.",
                "Customers are told too late, %(count)s objectives are being missed: %(names)s.",
                count,
            )
        case Kind.UNPUBLISHED:
            return ngettext(
                "%(count)s message waits to be published, for %(age)s.",
                "%(count)s messages wait to be published, the oldest for %(age)s.",
                count,
            )
        case Kind.SCHEDULED:
            return ngettext(
                "%(count)s scheduled event could not be recorded.",
                "%(count)s scheduled events could not be recorded.",
                count,
            )
        case Kind.DEAD_LETTERS:
            return ngettext(
                "%(count)s dead letter is open.", "%(count)s dead letters are open.", count
            )
        case Kind.UNKNOWN:
            return ngettext(
                "%(count)s delivery is unknown: somebody has to look it up.",
                "%(count)s deliveries are unknown: somebody has to look them up.",
                count,
            )
        case Kind.BREAKERS:
            return ngettext(
                "%(count)s provider account fails and is left alone: %(names)s.",
                "%(count)s provider accounts fail and are left alone: %(names)s.",
                count,
            )
        case Kind.PAUSES:
            return ngettext(
                "%(count)s pause is in force: %(names)s.",
                "%(count)s pauses are in force: %(names)s.",
                count,
            )
        case Kind.UNSERVED:
            return ngettext(
                "%(count)s queue has no live worker: %(names)s.",
                "%(count)s queues have no live worker: %(names)s.",
                count,
            )
        case Kind.JOBS:
            return ngettext(
                "%(count)s bulk job has stopped: %(names)s.",
                "%(count)s bulk jobs have stopped: %(names)s.",
                count,
            )
        case Kind.ANNOUNCEMENTS:
            return ngettext(
                "%(count)s announcement is paused: %(names)s.",
                "%(count)s announcements are paused: %(names)s.",
                count,
            )
