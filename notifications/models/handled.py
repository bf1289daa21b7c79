"""Handled: the inbox row of one event at one consumer."""

from __future__ import annotations

from django.db import models
from django.db.models.functions import Now


class Handled(models.Model):
    """What a consumer did with an event.

    Service consumers leave one per event. Channel consumers leave deliveries instead,
    and a row here only when something failed before there was a delivery to count on.
    """

    class Outcome(models.TextChoices):
        OPEN = "open", "open"
        DONE = "done", "done"
        FAILED = "failed", "given up"

    id = models.BigAutoField(primary_key=True)
    consumer = models.CharField(max_length=40)
    event_id = models.UUIDField()
    event_type = models.CharField(max_length=100, blank=True)
    event_time = models.DateTimeField(null=True, blank=True)
    subject = models.CharField(max_length=255, blank=True)
    generation = models.PositiveIntegerField(default=0)
    attempts = models.PositiveIntegerField(default=0)
    outcome = models.CharField(max_length=8, choices=Outcome.choices, default=Outcome.OPEN)
    last_error = models.TextField(blank=True)
    received_at = models.DateTimeField(db_default=Now())
    done_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        verbose_name_plural = "handled events"
        constraints = [
            models.UniqueConstraint(fields=["consumer", "event_id"], name="handled_once"),
        ]
        indexes = [
            models.Index(fields=["subject", "received_at"], name="handled_by_subject"),
            models.Index(fields=["event_id"], name="handled_by_event"),
            models.Index(
                fields=["outcome", "id"],
                condition=~models.Q(outcome="done"),
                name="handled_needs_a_look",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.consumer}: {self.event_type} {self.subject}"
