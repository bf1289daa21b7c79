"""Erasure: that a person was forgotten, without saying who it was."""

from __future__ import annotations

from django.db import models
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from notifications.models.claim import ClaimRequest


class ErasureQuerySet(models.QuerySet["Erasure"]):
    def forbids(self, request: ClaimRequest) -> bool:
        """Whether its recipient was forgotten after what it is to tell had happened."""
        since = self.filter(created_at__gte=request.event_time)
        return since.filter(person_hash__in=request.forgotten_as).exists()


class Erasure(models.Model):
    """One run of `notifications.erasure.forget`. Nobody deletes it.

    It comes with the first that is erased, so that whoever makes a row knows of it; `counts` with
    the last.
    """

    id = models.BigAutoField(primary_key=True)
    person_hash = models.CharField(
        max_length=80, db_index=True, help_text=_("A keyed hash: whoever knows a name may ask.")
    )
    by = models.CharField(max_length=150, help_text=_("Who had it done."))
    reason = models.CharField(max_length=255)
    counts = models.JSONField(default=dict, help_text=_("What was erased, by kind."))
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    objects = ErasureQuerySet.as_manager()

    class Meta:
        verbose_name = _("erasure")
        verbose_name_plural = _("erasures")

    def __str__(self) -> str:
        return f"erasure {self.pk}"
