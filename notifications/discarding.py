"""Discarding: deliveries and dead letters that nobody will do anything about, as work of a job."""

from __future__ import annotations

from datetime import datetime
from typing import Any, ClassVar

from django.db.models import QuerySet
from django.utils.translation import gettext

from notifications import delivery_discards, letter_discards
from notifications.letter_discards import WIPED
from notifications.models import DeadLetter, Delivery, Job, JobItem
from notifications.redrive import letters
from notifications.resend import Resend
from notifications.work import AtOnce, Filter, Outcome, Verdict, left_alone

State = DeadLetter.State


class DiscardDeliveries(AtOnce):
    """Filters: those of `Resend`."""

    kind = Job.Kind.DISCARD_DELIVERIES
    column = "delivery_id"
    made_at = "created_at"

    def found(self, wanted: Filter) -> QuerySet[Delivery]:
        return Resend().found(wanted)

    def take(self, item: JobItem) -> Delivery | None:
        return Delivery.objects.filter(mended_by=item).first()

    def weigh(self, delivery: Delivery, job: Job) -> Verdict:
        return _verdict(delivery_discards.why_not(delivery.state))

    def order(self, delivery: Delivery, job: Job, *, at: datetime) -> Verdict:
        (answer,) = delivery_discards.discard([delivery.pk], by=job.actor, reason=job.reason)
        return _verdict(answer.why_not)


class _Letters(AtOnce):
    """Filters: those of `Redrive`."""

    column = "dead_letter_id"
    made_at = "created_at"
    legal: ClassVar[DeadLetter.State]
    move: ClassVar[Any]

    def found(self, wanted: Filter) -> QuerySet[DeadLetter]:
        return letters(wanted, self.legal)

    def take(self, item: JobItem) -> DeadLetter | None:
        return DeadLetter.objects.filter(mended_by=item).defer("body", "attributes").first()

    def weigh(self, letter: DeadLetter, job: Job) -> Verdict:
        if letter.state == self.legal:
            return _verdict("")
        return _verdict(gettext("it is %(state)s") % {"state": letter.get_state_display()})

    def order(self, letter: DeadLetter, job: Job, *, at: datetime) -> Verdict:
        (answer,) = self.move([letter.pk], by=job.actor, reason=job.reason)
        return _verdict(answer.why_not)


class DiscardLetters(_Letters):
    """Open dead letters are set aside."""

    kind = Job.Kind.DISCARD_LETTERS
    legal = State.OPEN
    move = staticmethod(letter_discards.discard)


class RestoreLetters(_Letters):
    """Dead letters that were discarded are open again."""

    kind = Job.Kind.RESTORE_LETTERS
    legal = State.DISCARDED
    move = staticmethod(letter_discards.restore)

    def weigh(self, letter: DeadLetter, job: Job) -> Verdict:
        return left_alone(str(WIPED)) if letter.is_wiped else super().weigh(letter, job)


def _verdict(why_not: str) -> Verdict:
    return left_alone(why_not) if why_not else Verdict(Outcome.DONE)
