"""Breakers: what a provider's answers mean for its account's breaker.

| the answer | what it says of the account |
|---|---|
| TransientError, OutcomeUnknown | it fails: one more in the row of failures |
| ProviderPaused | it is refused as a whole: left alone at once |
| taken | it is well: the row ends, an open breaker closes |
| any that is the recipient's own | nothing: others are well served |
| PermanentError, and any other | nothing: the message was wrong, or never left us |

Busy and a database that is away are no answers: no provider was asked. The numbers and the
statements are in `notifications.models.breaker`.
"""

from __future__ import annotations

import logging
from contextlib import suppress

from django.db import Error, router, transaction

from notifications import audit, switches
from notifications.exceptions import (
    Busy,
    NotificationError,
    OutcomeUnknown,
    ProviderPaused,
    TransientError,
)
from notifications.models import Breaker
from notifications.redaction import redact
from notifications.retries import RETRY_AFTER_MAX

logger = logging.getLogger(__name__)

_failed_here: set[str] = set()
"""Accounts that failed in this process since their last success here: the switches, a second
old, may not tell of it yet, and five failures around that success would be no row."""


def report(account: str, error: NotificationError | None, *, took: float = 0.0) -> None:
    """What the provider said to one send; None is that it took the message. Never raises.

    took: seconds from its being asked until now. A success of an account without failures
    writes nothing.
    """
    try:
        match error:
            case None:
                _succeeded(account, took)
            case Busy():
                pass
            case NotificationError(of_recipient=True):
                _said_nothing(account)
            case TransientError() | OutcomeUnknown():
                _failed(account, error, took)
            case _:
                _said_nothing(account)
    except Error as trouble:
        logger.warning(
            "What account %s answered is not on its breaker: %s", account, type(trouble).__name__
        )


def leave_probe(account: str) -> None:
    """The message that was to probe has asked no provider: another may at once. Never raises."""
    with suppress(Error):  # the lease ends by itself
        Breaker.objects.release_probe(account)


def probe_now(account: str, *, by: str, reason: str = "") -> bool:
    """An operator knows that the provider is back: the next message tries, whatever is left of the
    back-off. False when the account was not left alone, or its probe was due already."""
    using = router.db_for_write(Breaker)
    with transaction.atomic(using=using):
        put_forward = Breaker.objects.using(using).probe_now(account)
        if put_forward:
            audit.record(
                "breaker.probe",
                by=by,
                reason=reason,
                target=Breaker(account=account),
                before={"tried": "after its back-off"},
                after={"tried": "at once"},
            )
    if put_forward:
        switches.look_again()
        logger.warning("Account %s is tried at once: %s says so", account, by)
    return put_forward


def _succeeded(account: str, took: float) -> None:
    if account not in _failed_here and not switches.look().failing(account):
        return
    _failed_here.discard(account)
    if Breaker.objects.succeeded(account, took=took):
        switches.look_again()
        logger.warning("Account %s is in use again: a message went through", account)


def _failed(account: str, error: TransientError | OutcomeUnknown, took: float) -> None:
    _failed_here.add(account)
    paused = isinstance(error, ProviderPaused)
    seconds = Breaker.objects.failed(
        account,
        redact(str(error)),
        at_once=paused,
        retry_after=_wanted(error) if isinstance(error, ProviderPaused) else None,
        took=took,
    )
    if seconds is not None:
        switches.look_again()
        logger.warning("Account %s is left alone for %.1f s: %s", account, seconds, error.code)


def _wanted(error: ProviderPaused) -> float | None:
    """The Retry-After of the whole account. That of a single message is its own."""
    if error.retry_after is None:
        return None
    return min(max(error.retry_after, 0.0), RETRY_AFTER_MAX)


def _said_nothing(account: str) -> None:
    """If it was the probe, the next message is to be another."""
    if switches.look().breaker_seconds(account):
        Breaker.objects.release_probe(account)
