"""Job: what an operator has mended, item by item, so that it can be broken off and gone on with."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from django.db import connections, models
from django.db.models.functions import Now

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

    def held(self, job_id: int) -> Job | None:
        """The job, locked until the caller's transaction ends, with the database's time as `now`.

        Of two processes at one job, the other waits here, and then sees what this one did.
        """
        return self.select_for_update(no_key=True).annotate(now=Now()).filter(pk=job_id).first()


class Job(models.Model):
    """One run of `resend`, `redrive` or `replay`: what it was to mend, why, and how far it came."""

    class Kind(models.TextChoices):
        RESEND = "resend", "resend"
        REDRIVE = "redrive", "redrive"
        REPLAY = "replay", "replay"

    class State(models.TextChoices):
        RUNNING = "running", "running"
        STOPPED = "stopped", "stopped"
        DONE = "done", "done"
        CANCELLED = "cancelled", "cancelled"

    OPEN = frozenset({State.RUNNING, State.STOPPED})

    id = models.BigAutoField(primary_key=True)
    kind = models.CharField(max_length=8, choices=Kind.choices)
    state = models.CharField(max_length=10, choices=State.choices, default=State.RUNNING)
    filter = models.JSONField(default=dict, help_text="What it is about, as it was asked for.")
    actor = models.CharField(max_length=150, help_text="Who began it.")
    reason = models.CharField(max_length=255)
    override = models.BooleanField(
        default=False, help_text="Also what the shop would not tell any more."
    )
    rate = models.FloatField(help_text="Items a second, at most.")
    stage = models.PositiveSmallIntegerField(
        null=True, blank=True, help_text="The stage it is in, from 1; none: it has no stages."
    )
    stage_left = models.PositiveIntegerField(
        null=True, blank=True, help_text="Items that this stage may still begin; none: all."
    )
    total = models.PositiveIntegerField(default=0, help_text="Items in all.")
    counts = models.JSONField(default=dict, blank=True, help_text="Items by outcome.")
    next_at = models.DateTimeField(
        db_default=Now(), help_text="When its next item may be put on its queue."
    )
    created_at = models.DateTimeField(db_default=Now(), editable=False)
    moved_at = models.DateTimeField(db_default=Now(), help_text="Its last step.")
    finished_at = models.DateTimeField(null=True, blank=True)

    objects = JobQuerySet.as_manager()

    class Meta:
        indexes = [models.Index(fields=["state", "id"], name="job_by_state")]

    def __str__(self) -> str:
        return f"{self.kind} {self.pk}"

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
"""


class JobItemQuerySet(models.QuerySet["JobItem"]):
    def fill(self, job: Job, column: str, found: models.QuerySet[Any], *, made_at: str) -> int:
        """An item for each row of `found`, the oldest by its column `made_at` first; how many."""
        sql, parameters = (
            found.order_by().values_list("pk", "subject", made_at).query.sql_with_params()
        )
        with connections[self.db].cursor() as cursor:
            cursor.execute(_FILL.format(column=column, found=sql), [job.pk, *parameters])
            return int(cursor.rowcount)

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
        WAITING = "waiting", "waiting"
        DISPATCHED = "dispatched", "dispatched"
        DONE = "done", "done"
        FAILED = "failed", "failed again"
        REFUSED = "refused", "refused"
        LEFT_ALONE = "left_alone", "left alone"

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
        help_text="The event that is replayed, or was put on a queue again.",
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
        db_default="", blank=True, help_text="Why it was refused, left alone or failed. Redacted."
    )
    moved_at = models.DateTimeField(null=True, blank=True)

    objects = JobItemQuerySet.as_manager()

    class Meta:
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
        verbose_name_plural = "job entries"

    def __str__(self) -> str:
        return self.text
