"""A provider whose answers go on the breaker of its account: one that is away is left alone."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

from notifications import breakers, spans
from notifications.exceptions import (
    NotificationError,
    PermanentError,
    ProviderPaused,
    TransientError,
)
from notifications.span import Kind
from orders_site.payments.exceptions import AccountRefused, PaymentError, ProviderAway
from orders_site.payments.provider import Charged, Declined, Provider, Refunded


class WatchedProvider:
    """`provider`, with each answer reported for `account`."""

    def __init__(self, provider: Provider, account: str) -> None:
        self._provider = provider
        self._account = account

    @property
    def patience(self) -> float:
        return self._provider.patience

    def charge(self, *, key: str, amount: int, currency: str, reference: str) -> Charged | Declined:
        with self._asked("charge"):
            return self._provider.charge(
                key=key, amount=amount, currency=currency, reference=reference
            )

    def find_charge(self, *, key: str) -> Charged | Declined | None:
        with self._asked("find charge"):
            return self._provider.find_charge(key=key)

    def refund(self, *, key: str, charge: str, amount: int) -> Refunded:
        with self._asked("refund"):
            return self._provider.refund(key=key, charge=charge, amount=amount)

    def find_refund(self, *, key: str) -> Refunded | None:
        with self._asked("find refund"):
            return self._provider.find_refund(key=key)

    @contextmanager
    def _asked(self, what: str) -> Iterator[None]:
        asked_at = time.monotonic()
        try:
            with spans.span(f"{what} {self._account}", Kind.CLIENT, provider=self._account):
                yield
        except PaymentError as error:
            breakers.report(self._account, translated(error), took=time.monotonic() - asked_at)
            raise
        breakers.report(self._account, None, took=time.monotonic() - asked_at)


def translated(error: PaymentError) -> NotificationError:
    """The same in the words by which a worker decides what becomes of the message."""
    match error:
        case AccountRefused():
            return ProviderPaused(error.message, error.code, error.retry_after)
        case ProviderAway():
            return TransientError(error.message, error.code, error.retry_after)
    return PermanentError(error.message, error.code)
