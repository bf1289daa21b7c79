"""Dispatch: the order to put an event on a topic or on one queue, not before a given time."""

from __future__ import annotations

from django.db import models
from django.db.models.functions import Now

from notifications.models.event import Event


class Dispatch(models.Model):
    """One row of the outbox. The relay is the only one that publishes it."""

    class State(models.TextChoices):
        WAITING = "waiting", "waiting"
        CLAIMED = "claimed", "claimed by a relay"
        PUBLISHED = "published", "published"

    class Kind(models.TextChoices):
        TOPIC = "topic", "topic"
        QUEUE = "queue", "queue"

    class Reason(models.TextChoices):
        RECORDED = "recorded", "first publication"
        DEFERRED = "deferred", "deferred"
        REOPENED = "reopened", "lease expired"
        RESENT = "resent", "resend"
        REDRIVEN = "redriven", "redrive"
        REPLAYED = "replayed", "replay"
        FELL_BACK = "fell_back", "cross-channel fallback"

    id = models.BigAutoField(primary_key=True)
    event = models.ForeignKey(
        Event,
        on_delete=models.CASCADE,
        related_name="dispatches",
        null=True,
        blank=True,
        help_text="Empty when a body that is no event is redriven.",
    )
    subject = models.CharField(max_length=255, blank=True)
    kind = models.CharField(max_length=8, choices=Kind.choices)
    destination = models.CharField(
        max_length=80, help_text="Topic or queue, without the environment's prefix."
    )
    reason = models.CharField(max_length=16, choices=Reason.choices, default=Reason.RECORDED)
    generation = models.PositiveIntegerField(default=0)
    body = models.TextField(
        null=True,
        blank=True,
        help_text="The original body of a redrive; empty: made from the event.",
    )
    attributes = models.JSONField(default=dict, blank=True)
    state = models.CharField(max_length=12, choices=State.choices, default=State.WAITING)
    available_at = models.DateTimeField(db_default=Now())
    tries = models.PositiveIntegerField(default=0)
    token = models.UUIDField(null=True, blank=True, editable=False)
    lease_until = models.DateTimeField(null=True, blank=True, editable=False)
    last_error = models.TextField(blank=True)
    message_id = models.CharField(max_length=100, blank=True)
    created_at = models.DateTimeField(db_default=Now(), editable=False)
    published_at = models.DateTimeField(null=True, blank=True, editable=False)

    class Meta:
        verbose_name_plural = "dispatches"
        indexes = [
            models.Index(
                fields=["available_at", "id"],
                condition=models.Q(state="waiting"),
                name="dispatch_waiting",
            ),
            models.Index(
                fields=["lease_until"],
                condition=models.Q(state="claimed"),
                name="dispatch_claimed",
            ),
            models.Index(  # FIFO: is an earlier row of this subject still open?
                fields=["destination", "subject", "id"],
                condition=~models.Q(state="published"),
                name="dispatch_open_by_subject",
            ),
            models.Index(fields=["subject", "created_at"], name="dispatch_by_subject"),
            models.Index(fields=["published_at"], name="dispatch_by_published_at"),
        ]

    def __str__(self) -> str:
        return f"{self.subject} → {self.kind} {self.destination}"
