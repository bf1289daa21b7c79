"""Retention: what is over and has been kept for its days is deleted, a few rows at a time.

What is open stays: a dispatch that is not published, a delivery in no last state, an inbox row
that is not closed, a dead letter that nobody has dealt with, and an event as long as any of these
is about it or its announcement is under way. Outcomes stay as long as their event, so that whatever
can be done once more finds that it was done (`notifications.checks.retention` holds the settings to
that).
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.apps import apps
from django.db import connections, models, router, transaction
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.db.models.functions import Coalesce, Now
from django.utils import timezone

from notifications import audit, objectives
from notifications.advisory import lock_for_transaction
from notifications.conf import conf
from notifications.models import (
    Announcement,
    AnnouncementEntry,
    Attempt,
    Conversation,
    DeadLetter,
    Delivery,
    DigestItem,
    DigestWindow,
    Dispatch,
    Event,
    Handled,
    Job,
    JobEntry,
    JobItem,
    Lane,
    Punctuality,
    Receipt,
    RenderedContent,
    ScheduledEvent,
    Seen,
    Throughput,
)
from notifications.models.punctuality import BY_HOUR, BY_MINUTE

logger = logging.getLogger(__name__)

ROWS = 500
"""Deleted in one transaction, so that no lock is held for long."""

BATCHES = 50
"""In one sweep, of one kind: 25,000 rows a minute; the next sweep goes on."""

CONVERSATIONS = 7
"""Days after somebody's last message, of which one day's matters."""

Over = Callable[[Any], QuerySet[Any]]


@dataclass(frozen=True)
class Kind:
    """What is deleted.

    days: for which it is kept. over: what of it is over and older than that. parts: the tables
    whose rows go with it, each by its column that names it.
    """

    name: str
    days: int
    over: Over
    parts: tuple[tuple[type[models.Model], str], ...] = ()

    def due(self) -> QuerySet[Any]:
        return self.over(Now() - timedelta(days=self.days))


def kinds() -> Iterator[Kind]:
    """In the order in which they are deleted: events go after what is about them."""
    kept = conf().retention
    yield Kind("dispatches", kept.dispatches, _dispatches)
    yield Kind("events", kept.events, _events)
    yield Kind("scheduled events", kept.events, _scheduled)
    yield Kind("dead letters", kept.dead_letters, _dead_letters)
    yield Kind("texts that were sent", kept.bodies, _texts)
    told = (Attempt, Receipt, DigestItem, RenderedContent)
    parts = tuple((model, "delivery_id") for model in told)
    yield Kind("deliveries", kept.outcomes, _deliveries, parts)
    yield Kind("digests", kept.outcomes, _digests)
    yield Kind("inbox rows", kept.outcomes, _handled)
    yield Kind("items of jobs", kept.outcomes, _job_items)
    yield Kind("jobs", kept.outcomes, _jobs, ((JobEntry, "job_id"),))
    yield Kind("conversations", CONVERSATIONS, _conversations)
    yield Kind("signatures of calls", 1, _seen)
    of_announcement = ((AnnouncementEntry, "announcement_id"), (Lane, "announcement_id"))
    yield Kind("announcements", kept.outcomes, _announcements, of_announcement)
    yield Kind("figures of minutes", kept.throughput, _throughput)
    yield Kind("minutes of objectives", objectives.KEPT.days, _punctuality(BY_MINUTE))
    yield Kind("hours of objectives", objectives.longest().days + 1, _punctuality(BY_HOUR))
    if apps.is_installed("django_celery_results"):
        yield Kind("failed tasks", kept.failed_tasks, _failed_tasks)


def sweep(*, using: str = "", go_on: Callable[[], bool] = lambda: True) -> int:
    """Delete what is due, up to BATCHES of each kind; how many rows. `go_on` is asked before each.

    Deliveries count without the attempts and receipts that go with them. Another relay that
    sweeps just now is left to it.
    """
    total = 0
    for kind in kinds():
        deleted = _sweep(kind, using or router.db_for_write(Event), go_on)
        if deleted:
            logger.info("Deleted %d %s older than %d days.", deleted, kind.name, kind.days)
        total += deleted
    return total


def purge(*, by: str, reason: str = "") -> int:
    """Delete all that is due, whatever there is; how many rows, as `sweep` counts them.

    Audited before the first row is deleted, with what is due then: it may be broken off.
    """
    due = {kind.name: kind.due().count() for kind in kinds()}
    total = sum(due.values())
    found = {name: count for name, count in due.items() if count}
    audit.record("retention.purge", by=by, reason=reason, target="rows", before=found, count=total)
    deleted = 0
    while some := sweep():
        deleted += some
    return deleted


def inbox_since() -> datetime:
    """What happened before this may have been done, and its outcome been deleted since.

    So nothing older is to be done once more: nobody could tell that it was done already.
    """
    return timezone.now() - timedelta(days=conf().retention.outcomes)


def deleted_at(letter: DeadLetter) -> datetime | None:
    """When this dead letter's days are over; None while it is open, for then it stays."""
    if letter.state == DeadLetter.State.OPEN:
        return None
    over = letter.changed_at or letter.last_seen_at or letter.created_at
    return over + timedelta(days=conf().retention.dead_letters)


def redrivable_until(letter: DeadLetter) -> datetime:
    """When this dead letter will have happened before `inbox_since`."""
    return (letter.first_seen_at or letter.created_at) + timedelta(days=conf().retention.outcomes)


def _sweep(kind: Kind, using: str, go_on: Callable[[], bool]) -> int:
    total = 0
    for _ in range(BATCHES):
        if not go_on():
            break
        deleted = _delete_some(kind, using)
        total += deleted
        if deleted < ROWS:
            break
    return total


def _delete_some(kind: Kind, using: str) -> int:
    """One batch. The rows are locked first: one that is opened again meanwhile is not deleted."""
    with transaction.atomic(using=using):
        if not lock_for_transaction("notifications/retention", using=using):
            return 0
        due = kind.due().using(using)
        locked = due.select_for_update(skip_locked=True, of=("self",))
        ids = list(locked.values_list("pk", flat=True)[:ROWS])
        for model, column in (*kind.parts, (due.model, "id")):
            _delete(model, column, ids, using)
    return len(ids)


def _delete(model: type[models.Model], column: str, ids: list[Any], using: str) -> None:
    """These rows and no others. Django's own delete() would follow every reference to them, also
    to a row that was made after we looked; so PostgreSQL refuses, and the next sweep looks again.
    """
    if ids:
        quote = connections[using].ops.quote_name
        rows = f"{quote(model._meta.db_table)} WHERE {quote(column)}"
        with connections[using].cursor() as cursor:
            cursor.execute(f"DELETE FROM {rows} = ANY(%s)", [ids])  # noqa: S608 - names of ours


def _dispatches(before: Any) -> QuerySet[Dispatch]:
    published = Dispatch.objects.filter(state=Dispatch.State.PUBLISHED, published_at__lt=before)
    return published.order_by("published_at")


def _events(before: Any) -> QuerySet[Event]:
    about = {"event_id": OuterRef("pk")}
    old = Event.objects.filter(recorded_at__lt=before)
    return _without(
        old,
        Dispatch.objects.filter(**about),
        Delivery.objects.filter(**about, state__in=Delivery.OPEN),
        Handled.objects.filter(**about, outcome=Handled.Outcome.OPEN),
        DeadLetter.objects.open().filter(**about),
        # A lane that is slow, or paused, still has this one of its people before it.
        Announcement.objects.filter(pk=OuterRef("announcement_id"), settled_at=None),
    ).order_by("recorded_at")


def _scheduled(before: Any) -> QuerySet[ScheduledEvent]:
    """What could not be recorded stays, until somebody has dealt with it."""
    return ScheduledEvent.objects.over().filter(over_at__lt=before).order_by("over_at")


def _texts(before: Any) -> QuerySet[RenderedContent]:
    return RenderedContent.objects.filter(created_at__lt=before).order_by("created_at")


def _dead_letters(before: Any) -> QuerySet[DeadLetter]:
    """By when it was dealt with; `created_at`, which is never later, is what has an index."""
    over = Coalesce("changed_at", "last_seen_at", "created_at")
    dealt_with = DeadLetter.objects.exclude(state=DeadLetter.State.OPEN)
    old = dealt_with.filter(created_at__lt=before).annotate(over=over).filter(over__lt=before)
    return old.order_by("created_at")


def _deliveries(before: Any) -> QuerySet[Delivery]:
    over = Delivery.objects.filter(state__in=Delivery.TERMINAL)
    old = over.filter(created_at__lt=before, updated_at__lt=before)
    return _without(old, *_can_come_again()).order_by("created_at")


def _digests(before: Any) -> QuerySet[DigestWindow]:
    """After the deliveries that were told in them."""
    over = DigestWindow.objects.filter(settled_at__lt=before)
    return _without(over, DigestItem.objects.filter(digest_id=OuterRef("pk"))).order_by(
        "settled_at"
    )


def _handled(before: Any) -> QuerySet[Handled]:
    over = Handled.objects.exclude(outcome=Handled.Outcome.OPEN)
    since = Q(done_at=None) | Q(done_at__lt=before)
    old = over.filter(since, received_at__lt=before)
    return _without(old, *_can_come_again()).order_by("received_at")


def _job_items(before: Any) -> QuerySet[JobItem]:
    """By themselves: of one job there may be a million. In no order, which would be looked for in
    all of them each time."""
    return JobItem.objects.filter(job__in=_over_jobs(before))


def _jobs(before: Any) -> QuerySet[Job]:
    """After their items."""
    items = JobItem.objects.filter(job_id=OuterRef("pk"))
    return _without(_over_jobs(before), items).order_by("id")


def _over_jobs(before: Any) -> QuerySet[Job]:
    return Job.objects.exclude(state__in=Job.OPEN).filter(finished_at__lt=before)


def _conversations(before: Any) -> QuerySet[Conversation]:
    return Conversation.objects.filter(last_inbound_at__lt=before).order_by("last_inbound_at")


def _seen(before: Any) -> QuerySet[Seen]:
    return Seen.objects.filter(kept_until__lt=before).order_by("kept_until")


def _announcements(before: Any) -> QuerySet[Announcement]:
    return Announcement.objects.filter(settled_at__lt=before).order_by("id")


def _throughput(before: Any) -> QuerySet[Throughput]:
    return Throughput.objects.filter(minute__lt=before).order_by("minute")


def _punctuality(width: int) -> Over:
    rows = Punctuality.objects.filter(width=width).order_by("start")
    return lambda before: rows.filter(start__lt=before)


def _can_come_again() -> tuple[QuerySet[Any], ...]:
    """Its event is still there to be replayed, or a dead letter of it to be redriven."""
    event = Event.objects.filter(pk=OuterRef("event_id"))
    letter = DeadLetter.objects.open().filter(event_id=OuterRef("event_id"))
    return event, letter


def _without(old: QuerySet[Any], *open_about: QuerySet[Any]) -> QuerySet[Any]:
    """Those of `old` about which there is nothing in any of these.

    One NOT EXISTS for each, which PostgreSQL looks up by index; of NOT (EXISTS … OR EXISTS …) it
    makes a hash of each whole table, for every batch.
    """
    for rows in open_about:
        old = old.exclude(Exists(rows))
    return old


def _failed_tasks(before: Any) -> QuerySet[Any]:
    results: type[models.Model] = apps.get_model("django_celery_results", "TaskResult")
    return results._default_manager.filter(date_done__lt=before).order_by("date_done")
