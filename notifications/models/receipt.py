"""Receipt: what a provider said later about an attempt that it had taken."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.db import connections, models
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from notifications.models.delivery import Delivery
from notifications.models.settlement import Settlement, Word

# Repeated, it may move what it could not the first time: a sender was at it, say.
_KEEP = """
INSERT INTO notifications_receipt AS known (
    id, delivery_id, subject, generation, number, provider, provider_message_id,
    kind, code, detail, occurred_at, moved_to
) VALUES (
    %(id)s, %(delivery)s, %(subject)s, %(generation)s, %(number)s, %(provider)s, %(message)s,
    %(kind)s, %(code)s, %(detail)s, %(occurred_at)s, %(moved_to)s
)
ON CONFLICT (id) DO UPDATE SET moved_to = EXCLUDED.moved_to WHERE known.moved_to = ''
RETURNING (xmax = 0)
"""


class ReceiptQuerySet(models.QuerySet["Receipt"]):
    def keep(self, receipt_id: UUID, word: Word, settlement: Settlement) -> bool:
        """Keep what was said, and what it did. False when it had been said before."""
        values: dict[str, Any] = {
            "id": receipt_id,
            "delivery": word.delivery_id,
            "subject": settlement.subject,
            "generation": word.generation,
            "number": word.number,
            "provider": word.provider,
            "message": word.provider_message_id,
            "kind": word.kind,
            "code": word.code,
            "detail": word.detail,
            "occurred_at": word.occurred_at,
            "moved_to": settlement.moved_to,
        }
        with connections[self.db].cursor() as cursor:
            cursor.execute(_KEEP, values)
            row = cursor.fetchone()
        return bool(row and row[0])


class Receipt(models.Model):
    """One provider's word about one attempt. Repeated and out-of-order ones are harmless.

    Both bounces are the end of that message. A hard one says that the address takes none, so
    nothing more is sent there; a soft one (a full mailbox, a phone that is off) says nothing of
    the next.
    """

    class Kind(models.TextChoices):
        ACCEPTED = "accepted", _("accepted")
        DELAYED = "delayed", _("delayed")
        DELIVERED = "delivered", _("delivered")
        OPENED = "opened", _("opened")
        CLICKED = "clicked", _("a link in it clicked")
        READ = "read", _("read")
        BOUNCED = "bounced", _("bounced (hard)")
        SOFT_BOUNCED = "soft_bounced", _("bounced (soft)")
        COMPLAINED = "complained", _("complained")
        REJECTED = "rejected", _("rejected")

    id = models.UUIDField(
        primary_key=True, help_text=_("Made from the provider's own words: the same when repeated.")
    )
    delivery = models.ForeignKey(
        Delivery,
        on_delete=models.CASCADE,
        related_name="receipts",
        db_index=False,  # an index below starts with it
    )
    subject = models.CharField(max_length=255)
    generation = models.PositiveIntegerField(default=0)
    number = models.PositiveIntegerField(help_text=_("The attempt's."))
    provider = models.CharField(max_length=40)
    provider_message_id = models.CharField(max_length=255, blank=True)
    kind = models.CharField(max_length=12, choices=Kind.choices)
    code = models.CharField(max_length=100, blank=True)
    detail = models.TextField(blank=True, help_text=_("What the provider said, redacted."))
    occurred_at = models.DateTimeField(help_text=_("By the provider's clock."))
    received_at = models.DateTimeField(db_default=Now())
    moved_to = models.CharField(
        max_length=12, blank=True, help_text=_("The state it brought the delivery to, if it did.")
    )

    objects = ReceiptQuerySet.as_manager()

    class Meta:
        verbose_name = _("receipt")
        verbose_name_plural = _("receipts")
        indexes = [
            models.Index(fields=["delivery", "occurred_at"], name="receipt_by_delivery"),
            models.Index(fields=["subject", "received_at"], name="receipt_by_subject"),
            # The operators' list: newest first, what is filtered is checked in the index itself.
            models.Index(fields=["received_at", "id", "kind", "provider"], name="receipt_recent"),
            models.Index(
                fields=["kind", "received_at", "id"],
                condition=~models.Q(
                    kind__in=["accepted", "delivered", "opened", "clicked", "read"]
                ),
                name="receipt_needs_a_look",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.delivery_id}.{self.generation}.{self.number}"
