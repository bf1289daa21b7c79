"""What a payment provider does for us, whichever it is. `httpx_provider` speaks to a real one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True)
class Charged:
    """The money was taken: so much, where the provider says how much."""

    provider_id: str
    amount: int | None = None
    currency: str = ""

    def is_of(self, amount: int, currency: str) -> bool:
        """Whether that is what was asked for, as far as is said."""
        return self.amount in (None, amount) and self.currency in ("", currency)


@dataclass(frozen=True)
class Declined:
    """The provider, or the customer's bank, said no; `code` is the provider's own."""

    code: str


@dataclass(frozen=True)
class Refunded:
    """The money was given back: so much of which charge, where the provider says it."""

    provider_id: str
    amount: int | None = None
    charge: str = ""


class Provider(Protocol):
    """Each request carries a key: repeated under the same key it is carried out once.

    Amounts are minor units. All raise PaymentRefused, ProviderAway and, where the request may
    have been carried out all the same, Unanswered.
    """

    @property
    def patience(self) -> float:
        """Seconds that one request takes at most."""

    def charge(
        self, *, key: str, amount: int, currency: str, reference: str
    ) -> Charged | Declined: ...

    def find_charge(self, *, key: str) -> Charged | Declined | None:
        """What became of the charge under this key; None where there never was one."""

    def refund(self, *, key: str, charge: str, amount: int) -> Refunded:
        """Give back a part of the charge with this provider id."""

    def find_refund(self, *, key: str) -> Refunded | None: ...
