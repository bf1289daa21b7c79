"""DeadLetter: a message a consumer gave up on, kept as it came."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING, Any

from django.db import models
from django.db.models.functions import Now

if TYPE_CHECKING:
    from notifications.dead_letters import Letter


class DeadLetterQuerySet(models.QuerySet["DeadLetter"]):
    """The verbs of dead letters."""

    def keep(self, letter: Letter) -> DeadLetter:
        """The letter as an open row; seen before, the same row with what is new about it."""
        failure = letter.failure
        latest: dict[str, Any] = {
            "reason": failure.reason,
            "error_class": failure.error_class,
            "error": failure.error,
            "fingerprint": failure.fingerprint,
            "attempts": failure.attempts,
            "last_seen_at": Now(),
        }
        first: dict[str, Any] = {
            "body": letter.body.encode(errors="surrogatepass"),
            "attributes": {
                name: value.get("StringValue", "") for name, value in letter.attributes.items()
            },
            "event_id": letter.event_id,
            "event_type": letter.event_type[:100],
            "subject": letter.subject[:255],
            "first_seen_at": letter.first_seen,
        }
        row, _ = self.update_or_create(
            queue=letter.queue,
            message_id=letter.message_id,
            generation=letter.generation,
            defaults=latest,
            create_defaults={**latest, **first},
        )
        return row

    def mark_redriven(self, ids: Collection[int], *, by: str, reason: str) -> int:
        """These are on their way to their consumer again; how many of them were open."""
        still_open = self.filter(pk__in=ids, state=DeadLetter.State.OPEN)
        return still_open.update(state=DeadLetter.State.REDRIVEN)


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

    objects = DeadLetterQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["queue", "message_id", "generation"], name="dead_letter_once"
            ),
        ]
        indexes = [
            models.Index(fields=["subject", "created_at"], name="dead_letter_by_subject"),
            models.Index(fields=["state", "id"], name="dead_letter_by_state"),
            models.Index(
                fields=["created_at"], condition=models.Q(state="open"), name="dead_letter_open"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.reason} on {self.queue}"
