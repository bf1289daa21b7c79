"""Pause: an operator has stopped a queue, a channel or an event type. History is kept."""

from __future__ import annotations

from django.db import models
from django.db.models.functions import Now


class Pause(models.Model):
    """In force until `resumed_at`."""

    class Kind(models.TextChoices):
        QUEUE = "queue", "queue"
        CHANNEL = "channel", "channel"
        EVENT_TYPE = "event_type", "event type"

    id = models.BigAutoField(primary_key=True)
    kind = models.CharField(max_length=12, choices=Kind.choices)
    name = models.CharField(max_length=100, help_text="Queue without the prefix, channel or type.")
    reason = models.CharField(max_length=255, blank=True)
    paused_at = models.DateTimeField(db_default=Now())
    paused_by = models.CharField(max_length=150, blank=True)
    resumed_at = models.DateTimeField(null=True, blank=True)
    resumed_by = models.CharField(max_length=150, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["kind", "name"],
                condition=models.Q(resumed_at=None),
                name="pause_in_force_once",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.get_kind_display()} {self.name}"
