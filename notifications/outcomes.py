"""How an attempt ended, written down: on the attempt always, on the delivery if it is still ours.

Each `record` writes both in one statement, then says by its exception what becomes of the
message: nothing raised means that it is done.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, NoReturn

from django.db import router, transaction
from django.utils import timezone

from notifications import consequences, consumers, fingerprints, metrics
from notifications.channels.base import Accepted, Content
from notifications.duties import Duty
from notifications.exceptions import (
    AttemptsExhausted,
    Busy,
    Elsewhere,
    NotificationError,
    OutcomeUnknown,
    PermanentError,
    ProviderPaused,
    TransientError,
)
from notifications.failover import is_this_providers
from notifications.insistence import insist
from notifications.models import Attempt, Delivery, Dispatch
from notifications.models.attempt import LAPSED
from notifications.models.claim import Claim
from notifications.models.conclusion import Conclusion
from notifications.outages import DATABASE_AWAY, is_away
from notifications.redaction import redact
from notifications.rendered import packed
from notifications.retries import delay
from notifications.shortages import shortage

RETRIED_WHEN_UNKNOWN = frozenset({"email", "webhook"})
"""The channels whose policy is to send again when nobody can say whether it was sent. A second
receipt by mail is a nuisance, and a webhook's reader knows the id that it has taken already; a
second text message costs money and trust: the others wait for the provider's receipt, then for an
operator."""

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Sent:
    accepted: Accepted
    template_version: str


@dataclass(frozen=True)
class Skipped:
    reason: str


@dataclass(frozen=True)
class Trouble:
    error: Exception


class Unforeseen(OutcomeUnknown):
    """An adapter raised what it should have translated: whether it was sent, nobody knows."""

    def __init__(self, error: Exception) -> None:
        super().__init__(code=type(error).__name__)
        self.args = (error,)
        self.error = error


def record(
    duty: Duty,
    claim: Claim,
    result: Sent | Skipped | Trouble,
    *,
    seconds: float,
    content: Content | None = None,
    request: str = "",
) -> None:
    """Record `result`, which took `seconds`. Raises what the message needs; see `deliver`.

    content: what was, or may have been, told: it is kept for a while. request: what the provider
    was asked, if it was.
    """
    error = getattr(result, "error", None)
    note = _Note(duty, claim, round(seconds * 1000), content, error, request)
    match result:
        case Sent():
            note.sent(result)
        case Skipped(reason=reason):
            note.skipped(reason)
        case Trouble(error=Unforeseen() as error):
            note.unknown(error, retried=False)
            raise note.counted(error.error)
        case Trouble(error=OutcomeUnknown() as error):
            note.unknown(error, retried=duty.channel in RETRIED_WHEN_UNKNOWN)
        case Trouble(error=NotificationError() as error) if duty.others and is_this_providers(
            error
        ):
            note.elsewhere(error)
        case Trouble(error=TransientError() as error):
            note.retrying(error)
        case Trouble(error=error) if isinstance(error, Busy) or is_away(error):
            note.released()
            raise error
        case Trouble(error=error):
            if short := shortage(error):
                note.retrying(short)
            note.failed(error, reason=code_of(error))
            raise note.counted(error)


def record_lapsed(duty: Duty, claim: Claim) -> None:
    """Somebody's lease ran out while sending: their attempt is unknown, by the channel's policy.

    Two messages may find it at once, or its holder may answer at the last moment: one
    statement decides, and whoever comes second looks again.
    """
    error = OutcomeUnknown("the lease ended before the sender reported", LAPSED)
    _Note(duty, claim, None).unknown(
        error, retried=duty.channel in RETRIED_WHEN_UNKNOWN, lapsed=True
    )


def code_of(error: Exception) -> str:
    """A short, stable name: the provider's code, or the class of what was not foreseen."""
    return error.code if isinstance(error, NotificationError) else type(error).__name__


def as_it_failed(delivery: Delivery) -> Exception:
    """The error that a failed delivery was given up with, as far as its row tells it."""
    kind: type[NotificationError] = PermanentError
    if delivery.reason == AttemptsExhausted.default_code:
        kind = AttemptsExhausted
    error = kind(delivery.last_error.removeprefix(f"{delivery.reason}: "), delivery.reason)
    error.attempts = delivery.attempts  # type: ignore[attr-defined]
    error.fingerprint = delivery.fingerprint  # type: ignore[attr-defined]
    return error


@dataclass(frozen=True)
class _Note:
    """What is written about one attempt."""

    duty: Duty
    claim: Claim
    duration_ms: int | None
    content: Content | None = None
    error: Exception | None = None
    request: str = ""

    def sent(self, result: Sent) -> None:
        self._conclude(
            Delivery.State.SENT,
            Attempt.Outcome.SENT,
            detail=self._redacted(result.accepted.detail),
            provider_message_id=result.accepted.provider_message_id[:255],
            template_version=result.template_version,
            content=self._packed(),
        )

    def skipped(self, reason: str) -> None:
        self._conclude(
            Delivery.State.SKIPPED,
            Attempt.Outcome.SKIPPED,
            reason=reason[:100],
            code=reason.partition(":")[0],
            detail=reason,
        )

    def failed(self, error: Exception, *, reason: str) -> None:
        self._conclude(
            Delivery.State.FAILED,
            Attempt.Outcome.PERMANENT,
            reason=reason[:100],
            **self._blame(error),
        )

    def retrying(self, error: TransientError) -> NoReturn:
        """Try again later, or give up when that was the last try allowed."""
        paused = isinstance(error, ProviderPaused)
        spent = self._spent()
        if self.duty.policy.exhausted_by(spent) and not paused:
            if self.duty.others:
                self.elsewhere(error)
            self._exhausted(error, spent)
        seconds = delay(self.duty.policy, self.claim.number, error.retry_after)
        self._conclude(
            Delivery.State.RETRYING,
            Attempt.Outcome.PAUSED if paused else Attempt.Outcome.TRANSIENT,
            retry_in=seconds,
            **self._blame(error),
        )
        raise _again(type(error), error, seconds) from error

    def elsewhere(self, error: NotificationError) -> NoReturn:
        """Not by this provider: another is asked at once, in an attempt of its own."""
        match error:
            case ProviderPaused():
                outcome = Attempt.Outcome.PAUSED
            case TransientError():
                outcome = Attempt.Outcome.TRANSIENT
            case _:
                outcome = Attempt.Outcome.PERMANENT
        self._conclude(Delivery.State.RETRYING, outcome, retry_in=0.0, **self._blame(error))
        raise _again(Elsewhere, error, 0.0) from error

    def unknown(self, error: OutcomeUnknown, *, retried: bool, lapsed: bool = False) -> None:
        """Neither sent nor failed; not even after the last try, because it may have arrived."""
        exhausted = self.duty.policy.exhausted_by(self._spent())
        seconds = delay(self.duty.policy, self.claim.number) if retried and not exhausted else None
        self._conclude(
            Delivery.State.UNKNOWN,
            Attempt.Outcome.UNKNOWN,
            retry_in=seconds,
            lapsed=lapsed,
            content=self._packed(),
            **self._blame(error),
        )
        logger.warning("attempt %s: outcome unknown (%s)", self.claim.tag, code_of(error))
        if seconds is not None:
            raise _again(TransientError, error, seconds) from error

    def released(self) -> None:
        """No provider was asked: as though it had never been claimed."""

        def release() -> None:
            with transaction.atomic(using=_database()):
                if Delivery.objects.release(self.claim):
                    Attempt.objects.forget(self.claim)

        try:
            insist(release, using=_database())
        except DATABASE_AWAY:
            logger.warning("attempt %s: not released, its lease must run out", self.claim.tag)

    def counted(self, error: Exception) -> Exception:
        """The error with the attempts of this generation on it, for the dead letter to tell."""
        error.attempts = self.claim.number  # type: ignore[attr-defined]
        fingerprints.mark(error)
        return error

    def _exhausted(self, error: TransientError, spent: int) -> NoReturn:
        exhausted = AttemptsExhausted(f"{spent} attempts, the last: {code_of(error)}")
        exhausted.__cause__ = error
        self._conclude(
            Delivery.State.FAILED,
            Attempt.Outcome.TRANSIENT,
            reason=AttemptsExhausted.default_code,
            **self._blame(error) | {"fingerprint": fingerprints.mark(exhausted)},
        )
        raise self.counted(exhausted) from error

    def _conclude(self, state: Delivery.State, outcome: Attempt.Outcome, **details: Any) -> None:
        conclusion = Conclusion(
            claim=self.claim,
            state=state,
            outcome=outcome,
            provider=self.duty.sender,
            duration_ms=self.duration_ms,
            request=self.request,
            **details,
        )
        if not insist(lambda: Delivery.objects.conclude(conclusion), using=_database()):
            self._come_late(conclusion)
        metrics.record_delivery(self.duty.channel, state)
        if self.error is not None or outcome == Attempt.Outcome.SENT:
            consequences.draw(self.duty, self.error)
        logger.info("attempt %s: %s %s", self.claim.tag, outcome.value, conclusion.code)

    def _come_late(self, conclusion: Conclusion) -> None:
        """Race: our lease ended, and somebody else has the row or has settled it.

        The attempt keeps what we learnt, the row is theirs. Nor may our message be deleted:
        it can be the very one they work from, received a second time. Unless they took the row
        for unknown, and we know that it was not sent.
        """

        def keep() -> bool:
            with transaction.atomic(using=_database()):
                reopened = conclusion.state == Delivery.State.RETRYING and self._reopened(
                    conclusion
                )
                Attempt.objects.close(conclusion)
            return reopened

        if not insist(keep, using=_database()):
            logger.warning(
                "attempt %s: %s came after its lease was lost; the delivery keeps its state",
                self.claim.tag,
                conclusion.outcome,
            )
            raise Busy(f"delivery {self.claim.delivery_id} went on without us")

    def _reopened(self, conclusion: Conclusion) -> bool:
        """Whether the row was open for it. Their copy of the message may be deleted and ours out
        of date, so it gets a message of its own; one too many only finds a duplicate."""
        seconds = conclusion.retry_in or 0.0
        if not Delivery.objects.reopen_unknown(
            self.claim, seconds=seconds, error=conclusion.detail
        ):
            return False
        Dispatch.objects.postpone(
            self.duty.envelope,
            queue=consumers.name_serving(self.duty.channel),
            until=timezone.now() + timedelta(seconds=seconds),
            reason=Dispatch.Reason.REOPENED,
        )
        return True

    def _spent(self) -> int:
        return insist(lambda: Attempt.objects.spent_on(self.claim), using=_database())

    def _packed(self) -> str:
        return packed(self.content) if self.content else ""

    def _blame(self, error: Exception) -> dict[str, str]:
        cause = error.error if isinstance(error, Unforeseen) else error
        return {
            "code": code_of(error)[:100],
            "detail": self._redacted(str(error)),
            "fingerprint": fingerprints.of(cause),
        }

    def _redacted(self, text: str) -> str:
        return redact(text, address=self.duty.recipient.address)


def _again(kind: type[TransientError], error: NotificationError, seconds: float) -> TransientError:
    retry = kind(error.message, error.code, seconds)
    retry.counted = True
    return retry


def _database() -> str:
    return router.db_for_write(Delivery)
