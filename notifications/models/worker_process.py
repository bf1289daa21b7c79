"""WorkerProcess: one worker process as it reports itself, since SQS has no remote control."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID

from django.db import models
from django.db.models import Case, F, Value, When
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from notifications.identifiers import uuid7

SILENCE = timedelta(seconds=30)
"""Of a process that is taken for lost: six beats, so that no slow statement makes it so."""

KEPT = timedelta(days=7)
"""For which the row of a process that has ended is kept."""

_REPORTED = (
    *("concurrency", "queues", "held", "running", "slots_used", "slots", "counts", "trouble"),
    *("state", "beat_at", "ended_at"),
)


class WorkerProcessQuerySet(models.QuerySet["WorkerProcess"]):
    """The verbs. Each is one statement, on the database's clock."""

    def alive(self) -> models.QuerySet[WorkerProcess]:
        """Those that have not ended, as far as anybody has noticed."""
        return self.filter(state__in=WorkerProcess.ALIVE)

    def report(self, worker: WorkerProcess) -> None:
        """The process lives, and this is how it does. One that was taken for lost is not."""
        worker.beat_at, worker.ended_at = Now(), None
        self.bulk_create(
            [worker], update_conflicts=True, unique_fields=["id"], update_fields=_REPORTED
        )

    def mark_stopped(self, identity: UUID) -> bool:
        """The process has settled what it held, and ends. False without a row."""
        nothing = {"held": 0, "running": 0, "slots_used": 0}
        return bool(
            self.filter(pk=identity).update(
                state=WorkerProcess.State.STOPPED, beat_at=Now(), ended_at=Now(), **nothing
            )
        )

    def mark_lost(self) -> int:
        """Those that have been silent for too long; how many."""
        silent = self.alive().filter(beat_at__lt=Now() - SILENCE)
        return silent.update(state=WorkerProcess.State.LOST, ended_at=F("beat_at"))

    def mark_replaced(self, worker: WorkerProcess) -> int:
        """Those whose place in the host's process table `worker` has taken; how many."""
        earlier = self.alive().filter(host=worker.host, pid=worker.pid).exclude(pk=worker.pk)
        stopping = When(state=WorkerProcess.State.STOPPING, then=Value(WorkerProcess.State.STOPPED))
        ended: Any = Case(stopping, default=Value(WorkerProcess.State.LOST))
        return earlier.update(state=ended, ended_at=F("beat_at"))

    def prune(self) -> int:
        """Forget those that ended long ago; how many."""
        return self.filter(ended_at__lt=Now() - KEPT).delete()[0]

    def of_late(self, *, ended_within: timedelta | None = None) -> models.QuerySet[WorkerProcess]:
        """Those alive, the oldest first, and after them those that ended within that time.

        Each with `silent_for`, the time since its last beat.
        """
        shown = models.Q(state__in=WorkerProcess.ALIVE)
        if ended_within is not None:
            shown |= models.Q(ended_at__gte=Now() - ended_within)
        silence = models.ExpressionWrapper(Now() - F("beat_at"), models.DurationField())
        ended_last = F("ended_at").asc(nulls_first=True)
        return self.filter(shown).annotate(silent_for=silence).order_by(ended_last, "id")


class WorkerProcess(models.Model):
    """A row for each start of a worker, written at an interval until it ends or is lost.

    queues: one object for each, of `name`, `last_poll` (seconds from the start of its last
    receive to the beat, null before the first), `under_way` (receives) and `held_by` (why it is
    not polled, or "").
    """

    class State(models.TextChoices):
        RUNNING = "running", _("running")
        STOPPING = "stopping", _("stopping")
        STOPPED = "stopped", _("stopped")
        LOST = "lost", _("lost")

    ALIVE = (State.RUNNING, State.STOPPING)

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    name = models.CharField(max_length=255, help_text=_("Celery's node name."))
    host = models.CharField(max_length=255)
    pid = models.PositiveIntegerField()
    pool = models.CharField(max_length=20)
    concurrency = models.PositiveIntegerField(default=0)
    queues = models.JSONField(
        default=list, help_text=_("Of each queue: name, last_poll, polls under way, what holds it.")
    )
    held = models.PositiveIntegerField(default=0, help_text=_("Messages received and not settled."))
    running = models.PositiveIntegerField(default=0, help_text=_("Of these, in a task."))
    slots_used = models.PositiveIntegerField(default=0)
    slots = models.PositiveIntegerField(default=0, help_text=_("Messages it may hold now."))
    counts = models.JSONField(default=dict, help_text=_("What it has done with messages so far."))
    trouble = models.TextField(blank=True, help_text=_("What its watchdog last reported."))
    state = models.CharField(max_length=10, choices=State.choices, default=State.RUNNING)
    started_at = models.DateTimeField(db_default=Now())
    beat_at = models.DateTimeField(db_default=Now())
    ended_at = models.DateTimeField(null=True, blank=True)

    objects = WorkerProcessQuerySet.as_manager()

    class Meta:
        verbose_name = _("worker process")
        verbose_name_plural = _("worker processes")
        indexes = [
            models.Index(
                fields=["beat_at"],
                condition=models.Q(state__in=["running", "stopping"]),
                name="worker_process_alive",
            ),
        ]

    def __str__(self) -> str:
        return self.name
