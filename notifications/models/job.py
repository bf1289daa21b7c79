"""Job: what an operator has mended, item by item, so that it can be broken off and gone on with."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from django.db import connections, models
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from notifications.models.dead_letter import DeadLetter
from notifications.models.delivery import Delivery
from notifications.models.dispatch import Dispatch
from notifications.models.event import Event
from notifications.redaction import redact


class JobQuerySet(models.QuerySet["Job"]):
    """A job is moved by whoever holds its row's lock; each step of it is one transaction."""

    def open(self) -> JobQuerySet:
        """Those that are not over."""
        return self.filter(state__in=Job.OPEN)

    def for_relays(self) -> JobQuerySet:
        """Those that the relays have to go on with."""
        return self.filter(state=Job.State.RUNNING, runner=Job.Runner.RELAY).order_by("id")

    def held(self, job_id: int, *, wait: bool = True) -> Job | None:
        """The job, locked until the caller's transaction ends, with the database's time as `now`.

        Of two processes at one job, the other waits here, and then sees what this one did; or it
        gets none, and comes again.
        """
        locked = self.select_for_update(no_key=True, skip_locked=not wait)
        return locked.annotate(now=Now()).filter(pk=job_id).first()


class Job(models.Model):
    """Work on many things (`notifications.undertakings`): on which, why, and how far it came."""

    class Kind(models.TextChoices):
        RESEND = "resend", _("resend")
        REDRIVE = "redrive", _("redrive")
        REPLAY = "replay", _("replay")
        DISCARD_DELIVERIES = "discard_deliveries", _("discard deliveries")
        DISCARD_LETTERS = "discard_letters", _("discard dead letters")
        RESTORE_LETTERS = "restore_letters", _("restore dead letters")
        DROP = "drop", _("drop what is pending")

    class State(models.TextChoices):
        RUNNING = "running", _("running")
        STOPPED = "stopped", _("stopped")
        DONE = "done", _("done")
        CANCELLED = "cancelled", _("cancelled")

    class Runner(models.TextChoices):
        PROCESS = "process", _("the process that began it")
        RELAY = "relay", _("the relays")

    OPEN = frozenset({State.RUNNING, State.STOPPED})

    id = models.BigAutoField(primary_key=True)
    kind = models.CharField(max_length=20, choices=Kind.choices)
    state = models.CharField(max_length=10, choices=State.choices, default=State.RUNNING)
    runner = models.CharField(
        max_length=8, choices=Runner.choices, db_default=Runner.PROCESS, default=Runner.PROCESS
    )
    filter = models.JSONField(default=dict, help_text=_("What it is about, as it was asked for."))
    sameness = models.CharField(
        max_length=64,
        db_default="",
        blank=True,
        help_text=_("Equal for jobs that are the same one."),
    )
    actor = models.CharField(max_length=150, help_text=_("Who began it."))
    reason = models.CharField(max_length=255)
    override = models.BooleanField(
        default=False, help_text=_("Also what the shop would not tell any more.")
    )
    rate = models.FloatField(help_text=_("Items a second, at most."))
    stage = models.PositiveSmallIntegerField(
        null=True, blank=True, help_text=_("The stage it is in, from 1; none: it has no stages.")
    )
    stage_left = models.PositiveIntegerField(
        null=True, blank=True, help_text=_("Items that this stage may still begin; none: all.")
    )
    total = models.PositiveIntegerField(default=0, help_text=_("Items in all."))
    counts = models.JSONField(default=dict, blank=True, help_text=_("Items by outcome."))
    next_at = models.DateTimeField(
        db_default=Now(), help_text=_("When its next item may be put on its queue.")
    )
    created_at = models.DateTimeField(db_default=Now(), editable=False)
    moved_at = models.DateTimeField(db_default=Now(), help_text=_("Its last step."))
    finished_at = models.DateTimeField(null=True, blank=True)

    objects = JobQuerySet.as_manager()

    class Meta:
        verbose_name = _("job")
        verbose_name_plural = _("jobs")
        permissions = [
            ("run_bulk_job", "Can begin, pause, resume and cancel bulk work"),
            ("override_refusals", "Can have sent what the shop would not have told any more"),
        ]
        constraints = [
            # Two people, or one person twice: the same one is open once.
            models.UniqueConstraint(
                fields=["sameness"],
                condition=models.Q(state__in=["running", "stopped"]) & ~models.Q(sameness=""),
                name="job_open_once",
            )
        ]
        indexes = [models.Index(fields=["state", "id"], name="job_by_state")]

    def __str__(self) -> str:
        return f"{self.kind} {self.pk}"

    @staticmethod
    def sameness_of(kind: str, wanted: Mapping[str, Any], *, override: bool) -> str:
        """A digest of what a job is to do; in whatever order its filter's values were given."""
        values = {
            name: sorted(map(str, value)) if isinstance(value, list) else value
            for name, value in wanted.items()
        }
        text = json.dumps([kind, values, override], sort_keys=True, default=str)
        return hashlib.sha256(text.encode()).hexdigest()

    @property
    def settled(self) -> int:
        """How many of its items have come to their end, as far as the job waits for it."""
        open_items = {JobItem.Outcome.WAITING}
        if self.kind == Job.Kind.REDRIVE:
            open_items.add(JobItem.Outcome.DISPATCHED)
        return self.total - sum(int(self.counts.get(each, 0)) for each in open_items)

    def count(self, outcome: str, *, before: str = "") -> None:
        """One item more has come to `outcome`, from `before` if it had one."""
        if before:
            self.counts[before] = self.counts.get(before, 0) - 1
        self.counts[outcome] = self.counts.get(outcome, 0) + 1

    def pace(self, now: datetime) -> datetime:
        """When the item that is begun now may go out; the next one is due a turn after it."""
        at = max(now, self.next_at)
        self.next_at = at + timedelta(seconds=1 / self.rate)
        return at

    def write(self, text: str, *, by: str = "") -> None:
        """One line in its log."""
        JobEntry.objects.create(job=self, by=by, text=redact(text))


# The list is made once, in the transaction that makes the job: what it is about stands still
# while it is worked off, and whatever is resent and fails again is not found a second time.
_FILL = """
INSERT INTO notifications_jobitem (job_id, {column}, outcome, subject)
SELECT %s, found.id, 'waiting', found.subject
FROM ({found}) AS found (id, subject, made_at)
ORDER BY found.made_at, found.id
LIMIT %s
"""


class JobItemQuerySet(models.QuerySet["JobItem"]):
    def fill(
        self,
        job: Job,
        column: str,
        found: models.QuerySet[Any],
        *,
        made_at: str,
        most: int | None = None,
    ) -> int:
        """An item for each row of `found`, the oldest by its column `made_at` first; how many.

        most: no more than so many.
        """
        sql, parameters = (
            found.order_by().values_list("pk", "subject", made_at).query.sql_with_params()
        )
        with connections[self.db].cursor() as cursor:
            cursor.execute(_FILL.format(column=column, found=sql), [job.pk, *parameters, most])
            return int(cursor.rowcount)

    def elsewhere(self, job: Job, about: Mapping[str, Any]) -> JobItem | None:
        """The same thing as an item of another job that has the better right to it, if there is
        one: of an older one that is open and still has it before it, or of one that did it after
        this job's list was made. Without it a job that was left lying would do it once more.

        about: its column, its value. A replay's is about an event at one consumer. A dispatch is
        gone once it is dropped, and is no column that is looked up.
        """
        if "dispatch_id" in about:
            return None
        theirs = self.filter(**about).exclude(job_id=job.pk)
        if "event_id" in about:
            consumer = job.filter.get("consumer")
            theirs = theirs.filter(delivery=None, dead_letter=None, job__filter__consumer=consumer)
        before = models.Q(outcome=JobItem.Outcome.WAITING, job__state__in=Job.OPEN)
        since = models.Q(pk__in=())
        if job.pk:
            before &= models.Q(job_id__lt=job.pk)
            since = models.Q(outcome__in=JobItem.TAKEN, moved_at__gt=job.created_at)
        return theirs.filter(before | since).select_related("job").order_by("job_id").first()

    def waiting(self) -> JobItemQuerySet:
        return self.filter(outcome=JobItem.Outcome.WAITING).order_by("id")

    def under_way(self) -> JobItemQuerySet:
        return self.filter(outcome=JobItem.Outcome.DISPATCHED).order_by("id")

    def tally(self) -> Mapping[str, int]:
        counted = self.order_by().values_list("outcome").annotate(models.Count("id"))
        return dict(counted)


class JobItem(models.Model):
    """One thing that a job mends: a delivery, a dead letter or an event. Never twice in one job."""

    class Outcome(models.TextChoices):
        WAITING = "waiting", _("waiting")
        DISPATCHED = "dispatched", _("dispatched")
        DONE = "done", _("done")
        FAILED = "failed", _("failed again")
        REFUSED = "refused", _("refused")
        LEFT_ALONE = "left_alone", _("left alone")

    TAKEN = frozenset({Outcome.DISPATCHED, Outcome.DONE, Outcome.FAILED})

    id = models.BigAutoField(primary_key=True)
    job = models.ForeignKey(Job, on_delete=models.CASCADE, related_name="items")
    # What it is about may be gone before the job is: no constraint, no cascade.
    delivery = models.ForeignKey(
        Delivery,
        on_delete=models.DO_NOTHING,
        db_constraint=False,
        related_name="mended_by",
        null=True,
        blank=True,
    )
    dead_letter = models.ForeignKey(
        DeadLetter,
        on_delete=models.DO_NOTHING,
        db_constraint=False,
        related_name="mended_by",
        null=True,
        blank=True,
    )
    event = models.ForeignKey(
        Event,
        on_delete=models.DO_NOTHING,
        db_constraint=False,
        related_name="mended_by",
        null=True,
        blank=True,
        help_text=_("The event that is replayed, or was put on a queue again."),
    )
    dispatch = models.ForeignKey(
        Dispatch,
        on_delete=models.DO_NOTHING,
        db_constraint=False,
        db_index=False,
        related_name="+",
        null=True,
        blank=True,
    )
    subject = models.CharField(max_length=255, blank=True)
    consumer = models.CharField(max_length=40, db_default="", blank=True)
    generation = models.PositiveIntegerField(db_default=0)
    stage = models.PositiveSmallIntegerField(null=True, blank=True)
    outcome = models.CharField(max_length=10, choices=Outcome.choices, default=Outcome.WAITING)
    why = models.TextField(
        db_default="",
        blank=True,
        help_text=_("Why it was refused, left alone or failed. Redacted."),
    )
    moved_at = models.DateTimeField(null=True, blank=True)

    objects = JobItemQuerySet.as_manager()

    class Meta:
        verbose_name = _("job item")
        verbose_name_plural = _("job items")
        constraints = [
            models.UniqueConstraint(fields=["job", "delivery"], name="job_delivery_once"),
            models.UniqueConstraint(fields=["job", "dead_letter"], name="job_dead_letter_once"),
            models.UniqueConstraint(
                fields=["job", "event"],
                condition=models.Q(delivery=None, dead_letter=None),
                name="job_event_once",
            ),
        ]
        indexes = [
            models.Index(fields=["job", "outcome", "id"], name="job_item_by_outcome"),
            models.Index(fields=["subject", "id"], name="job_item_by_subject"),
        ]

    def __str__(self) -> str:
        return f"{self.outcome} in job {self.job_id}"


class JobEntry(models.Model):
    """One line of a job's log."""

    id = models.BigAutoField(primary_key=True)
    job = models.ForeignKey(Job, on_delete=models.CASCADE, related_name="log")
    at = models.DateTimeField(db_default=Now())
    by = models.CharField(max_length=150, blank=True)
    text = models.TextField()

    class Meta:
        verbose_name = _("job entry")
        verbose_name_plural = _("job entries")

    def __str__(self) -> str:
        return self.text
