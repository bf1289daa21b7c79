"""Delivery: the duty to tell one recipient about one event over one channel."""

from __future__ import annotations

from django.db import models
from django.db.models.functions import Now

from notifications.identifiers import uuid7
from notifications.models.event import Event
from notifications.recipients import mask


class Delivery(models.Model):
    """One duty and its state; `notifications.deliveries` is the use case that moves it."""

    class State(models.TextChoices):
        PENDING = "pending", "pending"
        SENDING = "sending", "sending"
        RETRYING = "retrying", "retrying"
        SENT = "sent", "sent"
        DELIVERED = "delivered", "delivered"
        BOUNCED = "bounced", "bounced"
        COMPLAINED = "complained", "complained"
        FAILED = "failed", "failed"
        UNKNOWN = "unknown", "unknown"
        SKIPPED = "skipped", "skipped"
        DISCARDED = "discarded", "discarded"

    TERMINAL = frozenset(
        {
            State.SENT,
            State.DELIVERED,
            State.BOUNCED,
            State.COMPLAINED,
            State.FAILED,
            State.SKIPPED,
            State.DISCARDED,
        }
    )
    OPEN = frozenset(State) - TERMINAL

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    event = models.ForeignKey(  # outcomes outlive events: no constraint, no cascade
        Event,
        on_delete=models.DO_NOTHING,
        db_constraint=False,
        db_index=False,  # the unique key below starts with it
        related_name="deliveries",
    )
    event_type = models.CharField(max_length=100)
    event_time = models.DateTimeField(help_text="When the event happened; lag counts from here.")
    subject = models.CharField(max_length=255)
    channel = models.CharField(max_length=40)
    route = models.CharField(max_length=40)
    recipient = models.CharField(
        max_length=255, help_text='The resolver\'s stable reference ("customer/42").'
    )
    address = models.TextField(blank=True, help_text="Where it was last sent to.")
    address_hash = models.CharField(max_length=80, blank=True)
    state = models.CharField(max_length=12, choices=State.choices, default=State.PENDING)
    reason = models.CharField(
        max_length=100, blank=True, help_text="Why it was skipped, failed or discarded."
    )
    generation = models.PositiveIntegerField(
        default=0, help_text="Raised by each resend or redrive."
    )
    attempts = models.PositiveIntegerField(default=0, help_text="Attempts of this generation.")
    token = models.UUIDField(null=True, blank=True, editable=False)
    lease_until = models.DateTimeField(null=True, blank=True, editable=False)
    next_try_at = models.DateTimeField(null=True, blank=True)
    last_error = models.TextField(blank=True, help_text="Redacted.")
    locale = models.CharField(max_length=35, null=True, blank=True)
    template_version = models.CharField(max_length=64, null=True, blank=True)
    provider = models.CharField(max_length=40, null=True, blank=True)
    provider_message_id = models.CharField(max_length=255, blank=True)
    created_at = models.DateTimeField(db_default=Now(), editable=False)
    started_at = models.DateTimeField(null=True, blank=True, help_text="First claimed.")
    sent_at = models.DateTimeField(null=True, blank=True, help_text="A provider accepted it.")
    finished_at = models.DateTimeField(null=True, blank=True, help_text="Reached its last state.")
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        verbose_name_plural = "deliveries"
        constraints = [
            models.UniqueConstraint(
                fields=["event", "channel", "recipient", "route"], name="delivery_once"
            ),
        ]
        indexes = [
            models.Index(fields=["subject", "created_at"], name="delivery_by_subject"),
            models.Index(fields=["address_hash"], name="delivery_by_address_hash"),
            models.Index(fields=["provider_message_id"], name="delivery_by_provider_id"),
            models.Index(fields=["recipient", "created_at"], name="delivery_by_recipient"),
            # The operators' list: newest first, what is filtered is checked in the index itself.
            models.Index(
                fields=["created_at", "channel", "event_type", "state"], name="delivery_recent"
            ),
            models.Index(
                fields=["state", "created_at", "channel", "event_type"],
                condition=~models.Q(state__in=["sent", "delivered", "skipped"]),
                name="delivery_needs_a_look",
            ),
            models.Index(
                fields=["lease_until"],
                condition=models.Q(state="sending"),
                name="delivery_leases",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.event_type} {self.subject} by {self.channel}"

    @property
    def masked_address(self) -> str:
        return mask(self.address)
