"""DeadLetter: a message a consumer gave up on, kept as it came."""

from __future__ import annotations

from django.db import models
from django.db.models.functions import Now


class DeadLetter(models.Model):
    """One message in the operator's care. Bytes as they came; nothing is parsed to be kept."""

    class State(models.TextChoices):
        OPEN = "open", "open"
        REDRIVEN = "redriven", "redriven"
        DISCARDED = "discarded", "discarded"

    id = models.BigAutoField(primary_key=True)
    queue = models.CharField(max_length=80, help_text="The queue it was on, without the prefix.")
    message_id = models.CharField(max_length=100, help_text="The SQS message id.")
    generation = models.PositiveIntegerField(default=0)
    body = models.BinaryField()
    attributes = models.JSONField(default=dict, blank=True)
    event_id = models.UUIDField(null=True, blank=True, db_index=True)
    event_type = models.CharField(max_length=100, blank=True)
    subject = models.CharField(max_length=255, blank=True)
    reason = models.CharField(max_length=40)
    error_class = models.CharField(max_length=200, blank=True)
    error = models.TextField(blank=True)
    fingerprint = models.CharField(max_length=64, blank=True, db_index=True)
    attempts = models.PositiveIntegerField(default=0)
    state = models.CharField(max_length=10, choices=State.choices, default=State.OPEN)
    first_seen_at = models.DateTimeField(null=True, blank=True)
    last_seen_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["queue", "message_id", "generation"], name="dead_letter_once"
            ),
        ]
        indexes = [
            models.Index(fields=["subject", "created_at"], name="dead_letter_by_subject"),
            models.Index(
                fields=["created_at"], condition=models.Q(state="open"), name="dead_letter_open"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.reason} on {self.queue}"
