"""A provider that looks before it asks: what was done may have been forgotten here."""

from __future__ import annotations

from orders_site.payments.provider import Charged, Declined, Provider, Refunded


class DoubtingProvider:
    """`provider`, each of whose requests is looked up by its key before it is made.

    A provider forgets its keys after a while (a day, with some), and then carries the same request
    out once more; its ledger it never forgets.
    """

    def __init__(self, provider: Provider) -> None:
        self._provider = provider

    @property
    def patience(self) -> float:
        """Of a request and the one before it."""
        return 2 * self._provider.patience

    def charge(self, *, key: str, amount: int, currency: str, reference: str) -> Charged | Declined:
        return self.find_charge(key=key) or self._provider.charge(
            key=key, amount=amount, currency=currency, reference=reference
        )

    def find_charge(self, *, key: str) -> Charged | Declined | None:
        return self._provider.find_charge(key=key)

    def refund(self, *, key: str, charge: str, amount: int) -> Refunded:
        return self.find_refund(key=key) or self._provider.refund(
            key=key, charge=charge, amount=amount
        )

    def find_refund(self, *, key: str) -> Refunded | None:
        return self._provider.find_refund(key=key)
