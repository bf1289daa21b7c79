"""Attempt: one try to hand a delivery to a provider."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple
from uuid import UUID

from django.db import models
from django.db.models import Exists, OuterRef, Q, Value
from django.db.models.functions import Coalesce, Now, NullIf
from django.utils.translation import gettext_lazy as _

from notifications.models.claim import Claim
from notifications.models.conclusion import Conclusion
from notifications.models.delivery import Delivery
from notifications.models.settlement import TAKEN, Word

LAPSED = "lease_expired"
"""The code of an attempt whose sender never reported."""


class Asked(NamedTuple):
    """One attempt that is over: who was asked, and how it ended."""

    provider: str
    outcome: str


# Settled since or not: an attempt that was answered with "sent" has no code.
_WAS_UNKNOWN = Q(outcome="unknown") | Q(outcome="sent") & ~Q(code="")


class AttemptQuerySet(models.QuerySet["Attempt"]):
    """An attempt belongs to the one claim that started it, and is closed by it."""

    def close(self, conclusion: Conclusion) -> bool:
        """Write down how it ended. One closed as unknown may still be told better, any other not.

        For a result that comes too late for its delivery; in time, it is written with that.
        """
        unsettled = [Attempt.Outcome.STARTED, Attempt.Outcome.UNKNOWN]
        return bool(
            self._of(conclusion.claim)
            .filter(outcome__in=unsettled)
            .update(
                outcome=conclusion.outcome,
                provider=conclusion.provider,
                request=conclusion.request,
                code=conclusion.code,
                detail=conclusion.detail,
                provider_message_id=conclusion.provider_message_id,
                duration_ms=conclusion.duration_ms,
                finished_at=Now(),
            )
        )

    def leave_unknown(self, deliveries: Sequence[UUID]) -> None:
        """Nobody will ever say how those of these deliveries ended that have not."""
        begun = self.filter(delivery__in=deliveries, outcome=Attempt.Outcome.STARTED)
        begun.update(outcome=Attempt.Outcome.UNKNOWN, code=LAPSED, finished_at=Now())

    def forget(self, claim: Claim) -> None:
        """Take back an attempt that never reached a provider."""
        self._of(claim).filter(outcome=Attempt.Outcome.STARTED).delete()

    def tell_better(self, word: Word) -> bool:
        """What a receipt says of an attempt whose answer never came: sent, or refused for good.

        Code and detail stay as they are: they tell that it was unknown, and why.
        """
        outcome = Attempt.Outcome.SENT if word.kind in TAKEN else Attempt.Outcome.PERMANENT
        named = self.filter(
            delivery_id=word.delivery_id, generation=word.generation, number=word.number
        )
        told = {
            "outcome": outcome,
            "provider": Coalesce(NullIf("provider", Value("")), Value(word.provider)),
            "provider_message_id": word.provider_message_id,
            "finished_at": Coalesce("finished_at", Now()),
        }
        lapsed = named.filter(outcome=Attempt.Outcome.STARTED).update(code=LAPSED, **told)
        return bool(lapsed or named.filter(outcome=Attempt.Outcome.UNKNOWN).update(**told))

    def unknown_retried(self) -> int:
        """Attempts made because nobody could say whether the one before had been sent."""
        return self.filter(Exists(self._before().filter(_WAS_UNKNOWN))).count()

    def doubled_by_policy(self) -> int:
        """Those of them that were sent although, as we know by now, the one before had been.

        Not more than `unknown_retried`; counted apart from what is doubled by mistake, which
        is nothing.
        """
        sent = self._before().filter(_WAS_UNKNOWN, outcome=Attempt.Outcome.SENT)
        return self.filter(Exists(sent), outcome=Attempt.Outcome.SENT).count()

    def _before(self) -> AttemptQuerySet:
        """The attempt before the outer query's, of the same generation."""
        return Attempt.objects.filter(
            delivery_id=OuterRef("delivery_id"),
            generation=OuterRef("generation"),
            number=OuterRef("number") - 1,
        )

    def spent_on(self, claim: Claim) -> int:
        """Attempts of this generation that `max_retries` counts: a paused account costs none."""
        return (
            self.filter(delivery_id=claim.delivery_id, generation=claim.generation)
            .exclude(outcome=Attempt.Outcome.PAUSED)
            .count()
        )

    def asked_in(self, claim: Claim) -> Sequence[Asked]:
        """Who was asked in this generation before, and how that ended, in order."""
        before = self.filter(
            delivery_id=claim.delivery_id, generation=claim.generation, number__lt=claim.number
        )
        over = before.exclude(outcome=Attempt.Outcome.STARTED).order_by("number")
        return [Asked(*each) for each in over.values_list("provider", "outcome")]

    def _of(self, claim: Claim) -> AttemptQuerySet:
        return self.filter(delivery_id=claim.delivery_id, token=claim.token)


class Attempt(models.Model):
    """Inserted with the claim, finished with the outcome; one left open died while sending."""

    class Outcome(models.TextChoices):
        STARTED = "started", _("started")
        SENT = "sent", _("sent")
        TRANSIENT = "transient", _("failed for now")
        PERMANENT = "permanent", _("failed for good")
        PAUSED = "paused", _("account paused")
        UNKNOWN = "unknown", _("unknown")
        SKIPPED = "skipped", _("skipped before sending")

    id = models.BigAutoField(primary_key=True)
    delivery = models.ForeignKey(Delivery, on_delete=models.CASCADE, related_name="attempt_log")
    subject = models.CharField(max_length=255)
    generation = models.PositiveIntegerField(default=0)
    number = models.PositiveIntegerField()
    token = models.UUIDField(editable=False)
    outcome = models.CharField(max_length=12, choices=Outcome.choices, default=Outcome.STARTED)
    provider = models.CharField(max_length=40, blank=True)
    request = models.CharField(
        max_length=255,
        db_default="",
        blank=True,
        help_text=_("What was asked of the provider, in numbers: no address, no word."),
    )
    code = models.CharField(max_length=100, blank=True)
    detail = models.TextField(blank=True, help_text=_("What the provider said, redacted."))
    provider_message_id = models.CharField(max_length=255, blank=True)
    task_id = models.UUIDField(null=True, blank=True)
    worker = models.CharField(max_length=255, blank=True)
    started_at = models.DateTimeField(db_default=Now())
    finished_at = models.DateTimeField(null=True, blank=True)
    duration_ms = models.PositiveIntegerField(null=True, blank=True)

    objects = AttemptQuerySet.as_manager()

    class Meta:
        verbose_name = _("attempt")
        verbose_name_plural = _("attempts")
        constraints = [
            models.UniqueConstraint(
                fields=["delivery", "generation", "number"], name="attempt_numbered_once"
            ),
        ]
        indexes = [
            models.Index(fields=["subject", "started_at"], name="attempt_by_subject"),
            models.Index(fields=["task_id"], name="attempt_by_task"),
            models.Index(fields=["started_at"], name="attempt_by_start"),  # never changes: HOT
        ]

    def __str__(self) -> str:
        return self.tag

    @property
    def tag(self) -> str:
        """What the provider is given, so that receipts find their way back."""
        return f"{self.delivery_id}.{self.generation}.{self.number}"
