"""Receipt: what a provider said later about an attempt that it had taken."""

from __future__ import annotations

from django.db import models
from django.db.models.functions import Now

from notifications.models.delivery import Delivery


class Receipt(models.Model):
    """One provider's word about one attempt. Repeated and out-of-order ones are harmless."""

    class Kind(models.TextChoices):
        ACCEPTED = "accepted", "accepted"
        DELAYED = "delayed", "delayed"
        DELIVERED = "delivered", "delivered"
        BOUNCED = "bounced", "bounced"
        COMPLAINED = "complained", "complained"
        REJECTED = "rejected", "rejected"

    id = models.UUIDField(
        primary_key=True, help_text="Made from the provider's own words: the same when repeated."
    )
    delivery = models.ForeignKey(Delivery, on_delete=models.CASCADE, related_name="receipts")
    subject = models.CharField(max_length=255)
    generation = models.PositiveIntegerField(default=0)
    number = models.PositiveIntegerField(help_text="The attempt's.")
    provider = models.CharField(max_length=40)
    provider_message_id = models.CharField(max_length=255, blank=True)
    kind = models.CharField(max_length=12, choices=Kind.choices)
    code = models.CharField(max_length=100, blank=True)
    detail = models.TextField(blank=True, help_text="What the provider said, redacted.")
    occurred_at = models.DateTimeField(help_text="By the provider's clock.")
    received_at = models.DateTimeField(db_default=Now())
    moved_to = models.CharField(
        max_length=12, blank=True, help_text="The state it brought the delivery to, if it did."
    )

    class Meta:
        indexes = [
            models.Index(fields=["delivery", "occurred_at"], name="receipt_by_delivery"),
            models.Index(fields=["subject", "received_at"], name="receipt_by_subject"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.delivery_id}.{self.generation}.{self.number}"
