"""RateLimit: what one provider account may be sent, over all workers on all hosts."""

from __future__ import annotations

from django.db import models
from django.db.models.functions import Now


class RateLimit(models.Model):
    """One account's GCRA state, on the database's clock, and its limit.

    `declared` is what the task says (`rate_limit="5/s"`); an operator's `override` goes
    over it until it is taken back.
    """

    account = models.CharField(primary_key=True, max_length=80)
    declared = models.FloatField(null=True, help_text="Units a second, as the task declares it.")
    override = models.FloatField(null=True, blank=True, help_text="Units a second, instead.")
    burst = models.PositiveIntegerField(
        null=True, blank=True, help_text="Units at once after a rest; empty: a tenth of the limit."
    )
    next_at = models.DateTimeField(
        db_default=Now(), help_text="When the next unit is due: GCRA's theoretical arrival time."
    )
    granted = models.BigIntegerField(default=0, help_text="Units granted in all.")
    changed_at = models.DateTimeField(null=True, blank=True)
    changed_by = models.CharField(max_length=150, blank=True)
    reason = models.CharField(max_length=255, blank=True)

    def __str__(self) -> str:
        return self.account
