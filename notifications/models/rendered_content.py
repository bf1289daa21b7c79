"""RenderedContent: what somebody was told, word for word, sealed, for as long as it is kept."""

from __future__ import annotations

from uuid import UUID

from django.db import models
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from notifications.models.delivery import Delivery
from notifications.models.sealed import SealedTextField


class RenderedContentQuerySet(models.QuerySet["RenderedContent"]):
    def latest_of(self, delivery_id: UUID) -> RenderedContent | None:
        """What was sent last; None when it is kept no longer, or never was."""
        return self.filter(delivery_id=delivery_id).order_by("-generation").first()


class RenderedContent(models.Model):
    """Written with the outcome of the send, in one statement (`notifications.models.conclusion`);
    deleted by `notifications.retention`."""

    id = models.BigAutoField(primary_key=True)
    delivery = models.ForeignKey(
        Delivery,
        on_delete=models.DO_NOTHING,
        db_constraint=False,
        db_index=False,  # the unique key below starts with it
        related_name="rendered",
    )
    generation = models.PositiveIntegerField()
    content = SealedTextField(help_text=_("`notifications.rendered` reads it."))
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    objects = RenderedContentQuerySet.as_manager()

    class Meta:
        verbose_name = _("rendered content")
        verbose_name_plural = _("rendered contents")
        constraints = [
            models.UniqueConstraint(
                fields=["delivery", "generation"], name="rendered_content_once"
            ),
        ]
        indexes = [models.Index(fields=["created_at"], name="rendered_content_by_age")]
        default_permissions = ()

    def __str__(self) -> str:
        return f"generation {self.generation} of delivery {self.delivery_id}"
