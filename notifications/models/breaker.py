"""Breaker: whether one provider account is left alone, as every worker sees it."""

from __future__ import annotations

from django.db import models
from django.db.models.functions import Now


class Breaker(models.Model):
    """One account. An account without a row has never failed."""

    class State(models.TextChoices):
        CLOSED = "closed", "closed: in use"
        OPEN = "open", "open: left alone"

    account = models.CharField(primary_key=True, max_length=80)
    state = models.CharField(max_length=8, choices=State.choices, default=State.CLOSED)
    failures = models.PositiveIntegerField(default=0, help_text="Transient ones in a row.")
    openings = models.PositiveIntegerField(
        default=0, help_text="Times it opened without a success between: the back-off grows on it."
    )
    opened_at = models.DateTimeField(null=True, blank=True)
    probe_at = models.DateTimeField(null=True, blank=True, help_text="When one message may try.")
    probe_until = models.DateTimeField(
        null=True, blank=True, help_text="Until when the probe is one worker's alone."
    )
    last_error = models.CharField(max_length=255, blank=True)
    updated_at = models.DateTimeField(db_default=Now())

    def __str__(self) -> str:
        return f"{self.account}: {self.state}"
