"""FailureNote: what somebody has written about a cause of failure, for whoever looks next."""

from __future__ import annotations

from django.db import models
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _


class FailureNote(models.Model):
    """One for each fingerprint; who wrote what before stands in the audit."""

    fingerprint = models.CharField(primary_key=True, max_length=64)
    text = models.CharField(max_length=1000, help_text=_("Redacted."))
    by = models.CharField(max_length=150)
    at = models.DateTimeField(db_default=Now())

    class Meta:
        verbose_name = _("failure note")
        verbose_name_plural = _("failure notes")
        default_permissions = ()
        permissions = [("change_failurenote", "Can write notes on groups of failures")]

    def __str__(self) -> str:
        return self.text
