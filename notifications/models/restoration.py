"""Restoration: that the database was put back to a backup, and what is judged by that."""

from __future__ import annotations

from django.db import models
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _


class Restoration(models.Model):
    """One run of `manage.py restored`. Nobody changes or deletes it.

    An event that happened from `covers_since` until `at` may have been told, and a payment made,
    by processes whose notes are gone. What SQS took before `untouched_before` was there already
    when the database came back.
    """

    id = models.BigAutoField(primary_key=True)
    at = models.DateTimeField(db_default=Now(), editable=False)
    covers_since = models.DateTimeField()
    untouched_before = models.DateTimeField()
    by = models.CharField(max_length=150)
    reason = models.CharField(max_length=255)
    counts = models.JSONField(default=dict, help_text=_("What was held or stopped, by kind."))

    class Meta:
        verbose_name = _("restoration")
        verbose_name_plural = _("restorations")
        default_permissions = ()

    def __str__(self) -> str:
        return f"restoration {self.pk}"
