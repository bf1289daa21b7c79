"""WorkerProcess: one worker process as it reports itself, since SQS has no remote control."""

from __future__ import annotations

from django.db import models
from django.db.models.functions import Now

from notifications.identifiers import uuid7


class WorkerProcess(models.Model):
    """A row for each start of a worker, written at an interval until it ends or is lost."""

    class State(models.TextChoices):
        RUNNING = "running", "running"
        STOPPING = "stopping", "stopping"
        STOPPED = "stopped", "stopped"
        LOST = "lost", "lost"

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    name = models.CharField(max_length=255, help_text="Celery's node name.")
    host = models.CharField(max_length=255)
    pid = models.PositiveIntegerField()
    pool = models.CharField(max_length=20)
    concurrency = models.PositiveIntegerField(default=0)
    queues = models.JSONField(
        default=list, help_text="Of each queue: name, last_poll, polls under way, what holds it."
    )
    held = models.PositiveIntegerField(default=0, help_text="Messages received and not settled.")
    running = models.PositiveIntegerField(default=0, help_text="Of these, in a task.")
    slots_used = models.PositiveIntegerField(default=0)
    slots = models.PositiveIntegerField(default=0, help_text="Messages it may hold now.")
    counts = models.JSONField(default=dict, help_text="What it has done with messages so far.")
    trouble = models.TextField(blank=True, help_text="What its watchdog last reported.")
    state = models.CharField(max_length=10, choices=State.choices, default=State.RUNNING)
    started_at = models.DateTimeField(db_default=Now())
    beat_at = models.DateTimeField(db_default=Now())
    ended_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        verbose_name_plural = "worker processes"
        indexes = [
            models.Index(
                fields=["beat_at"],
                condition=models.Q(state__in=["running", "stopping"]),
                name="worker_process_alive",
            ),
        ]

    def __str__(self) -> str:
        return self.name
