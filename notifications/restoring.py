"""Restoring: what is done once, before any process starts on a database put back to a backup."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import connections, router, transaction
from django.db.models import Max, Min, QuerySet
from django.db.models.functions import Now
from django.utils import timezone

from notifications import (
    announcements,
    audit,
    fingerprints,
    held_duties,
    jobs,
    nudges,
    progress,
    restorations,
)
from notifications.advisory import lock_for_transaction
from notifications.exceptions import NotificationError
from notifications.models import (
    Announcement,
    Attempt,
    Delivery,
    Dispatch,
    Event,
    Job,
    Restoration,
    ScheduledEvent,
    WorkerProcess,
)
from notifications.models.worker_process import SILENCE
from notifications.redaction import redact
from notifications.topology import RETENTION

SKIPPED_IDS = 1_000_000
"""By which every sequence is moved on: more rows than any table got since the backup. A number that
is given twice is two orders, the first of which the payment provider has charged by its key."""

CLOCKS = timedelta(seconds=60)
"""Between our clock and SQS's, at most. What SQS took so shortly before is doubted, too."""

KEPT_BY_SQS = timedelta(seconds=RETENTION)

LOOKED = 30.0
"""Seconds in which each consumer's oldest open event is looked for; what is found is a bound."""

STOPPED = "the database was restored: how far it came since the backup is not known"

LOCK = "notifications/restored"

_FULL = """
    SELECT format('%%I.%%I', schemaname, sequencename) FROM pg_sequences
    WHERE schemaname = ANY(current_schemas(FALSE))
      AND (increment_by < 0 OR coalesce(last_value, start_value) > max_value - %(skipped)s)
    ORDER BY 1
"""
_ADVANCE = """
    SELECT count(setval(name::regclass, reached + %(skipped)s))
    FROM (
        SELECT format('%%I.%%I', schemaname, sequencename) AS name,
            coalesce(last_value, start_value) AS reached
        FROM pg_sequences WHERE schemaname = ANY(current_schemas(FALSE))
    ) AS sequence
    WHERE name <> ALL(%(full)s)
"""


class Refused(NotificationError):
    """The database is not to be taken for restored now. `message` says why, and the mend."""

    default_code = "restoration_refused"


@dataclass(frozen=True)
class Found:
    """What there is to be done.

    at: when it was looked. newest: when the newest event was recorded, which is about when the
    backup was made. covers_since: from then on what happened is doubted. held: deliveries. jobs,
    announcements: that were under way. scheduled: events that are ahead. full: the sequences that
    have too few numbers left to be moved on. owed: by consumer, since when it had not reported on
    an event; who has done that since the backup left no row here.
    """

    at: datetime
    newest: datetime | None
    covers_since: datetime
    held: int
    jobs: int
    announcements: int
    scheduled: int
    full: tuple[str, ...]
    owed: Mapping[str, datetime]


def look(*, skip: int = SKIPPED_IDS, again: bool = False) -> Found:
    """What `restored` would find now. Raises Refused."""
    _refuse_at_work()
    newest = Event.objects.aggregate(at=Max("recorded_at"))["at"]
    if not again:
        _refuse_a_slip(newest)
    return Found(
        at=timezone.now(),
        newest=newest,
        covers_since=_covers_since(newest),
        held=Delivery.objects.doubtful().count(),
        jobs=_running_jobs().count(),
        announcements=_running_announcements().count(),
        scheduled=_scheduled().count(),
        full=_full_sequences(skip),
        owed=_owed(),
    )


def restored(*, by: str, reason: str, skip: int = SKIPPED_IDS, again: bool = False) -> Found:
    """The database is that of a backup. All of it or nothing; raises Refused.

    again: it has been put back once more, although it knows of a restoration and of no event since.
    Numbers that may have been given since are passed over; what is open may have been told, and is
    held for a person; jobs and announcements stop where they were then; and from now on workers
    judge what they receive (`notifications.restorations`).
    """
    using = router.db_for_write(Restoration)
    with transaction.atomic(using=using):
        if not lock_for_transaction(LOCK, using=using):
            raise Refused("somebody else is doing it just now. See what they are told")
        found = look(skip=skip, again=again)
        _pass_over_numbers(skip, found.full, using)
        held = Delivery.objects.hold_open(
            error=str(held_duties.DOUBTED), fingerprint=fingerprints.of(held_duties.DOUBTED)
        )
        Attempt.objects.leave_unknown(held)
        for job in _running_jobs():
            jobs.halt(job.pk, by=by, why=STOPPED)
        for announcement in _running_announcements():
            announcements.pause(announcement.pk, by=by, reason=STOPPED)
        row = Restoration.objects.create(
            at=found.at,
            covers_since=found.covers_since,
            untouched_before=found.at - CLOCKS,
            by=by[:150],
            reason=redact(reason)[:255],
            counts={
                "deliveries": len(held),
                "jobs": found.jobs,
                "announcements": found.announcements,
                "skipped_ids": skip,
                "full_sequences": list(found.full),
            },
        )
        audit.record("database.restored", by=by, reason=reason, target=row, after=row.counts)
    restorations.look_again()
    return found


def _refuse_at_work() -> None:
    """What a relay publishes meanwhile would pass for what nobody has ever had."""
    alive = WorkerProcess.objects.alive().filter(beat_at__gte=Now() - SILENCE)
    if names := ", ".join(sorted({f"{each.host} ({each.pid})" for each in alive})):
        at_work = f"workers are at work: {names}"
    elif relays := nudges.listening(router.db_for_write(Dispatch)):
        at_work = f"relays are at work: {relays}"
    else:
        return
    raise Refused(
        f"{at_work}. Stop web, relays and workers, wait for {SILENCE.seconds} s, and try again"
    )


def _refuse_a_slip(newest: datetime | None) -> None:
    """Nothing was recorded since the last time. Most likely it is the same database as then."""
    last = Restoration.objects.order_by("-at").first()
    if last is not None and (newest is None or newest <= last.at):
        raise Refused(
            f"that was done at {last.at:%Y-%m-%d %H:%M} UTC, by {last.by}, and no event was "
            "recorded since. If the database was put back once more, to a backup of after that "
            "time, say so: --again"
        )


def _owed() -> dict[str, datetime]:
    in_time = progress.for_seconds(LOOKED)
    found = progress.oldest(progress.known(), go_on=in_time)
    return {name: it.at for name, it in sorted(found.items()) if it.at is not None}


def _covers_since(newest: datetime | None) -> datetime:
    """No message is older than SQS keeps them; but an order to send one may be, and what was
    scheduled when it was over."""
    waiting = Dispatch.objects.exclude(state=Dispatch.State.PUBLISHED)
    oldest: datetime | None = waiting.aggregate(at=Min("event__time"))["at"]
    due: datetime | None = _scheduled().aggregate(at=Min("due_at"))["at"]
    since = (newest or timezone.now()) - KEPT_BY_SQS
    return min(filter(None, (since, oldest, due)))


def _full_sequences(skip: int) -> tuple[str, ...]:
    with connections[router.db_for_write(Restoration)].cursor() as cursor:
        cursor.execute(_FULL, {"skipped": skip})
        return tuple(name for (name,) in cursor.fetchall())


def _pass_over_numbers(skip: int, full: Collection[str], using: str) -> None:
    with connections[using].cursor() as cursor:
        cursor.execute(_ADVANCE, {"skipped": skip, "full": list(full)})


def _running_jobs() -> QuerySet[Job]:
    return Job.objects.filter(state=Job.State.RUNNING).order_by("pk")


def _running_announcements() -> QuerySet[Announcement]:
    return Announcement.objects.filter(state__in=Announcement.RUNNING).order_by("pk")


def _scheduled() -> QuerySet[ScheduledEvent]:
    return ScheduledEvent.objects.filter(state=ScheduledEvent.State.WAITING)
