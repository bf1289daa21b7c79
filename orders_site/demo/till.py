"""What each order should have brought the shop, against the payment provider's word.

As in `orders_site.demo.manifest`, what judges is kept apart from what is judged: the sums are noted
while the orders are placed, and compared with the provider's own charges.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from notifications.local.providers.client import Charge

CHARGED = "succeeded"


class Till:
    """Minor units that the shop should keep of each order of one run."""

    def __init__(self) -> None:
        self.kept: dict[str, int] = {}

    def sell(self, subject: str, amount: int) -> None:
        self.kept[subject] = amount

    def give_back(self, subject: str, amount: int) -> None:
        """A part of what was paid goes back."""
        self.kept[subject] -= amount

    def call_off(self, subject: str) -> None:
        """The order was cancelled: it is not charged, or all of it goes back."""
        self.kept[subject] = 0


@dataclass(frozen=True)
class Takings:
    """charged: charges made. refunded: of them, those of which something went back.
    doubled: orders that were charged twice, or of which more went back than was paid.
    unsettled: orders of which the shop keeps another sum than it should, or none yet."""

    charged: int
    refunded: int
    doubled: tuple[str, ...]
    unsettled: tuple[str, ...]

    @property
    def good(self) -> bool:
        return not (self.doubled or self.unsettled)

    @property
    def as_json(self) -> dict[str, int]:
        return {
            "charged": self.charged,
            "refunded": self.refunded,
            "doubled": len(self.doubled),
            "unsettled": len(self.unsettled),
        }


def count(till: Till, charges: Iterable[Charge]) -> Takings:
    """Per order; other runs' orders and charges that were declined are left out."""
    of: defaultdict[str, list[Charge]] = defaultdict(list)
    for charge in charges:
        if charge.status == CHARGED and charge.reference in till.kept:
            of[charge.reference].append(charge)
    return Takings(
        charged=sum(map(len, of.values())),
        refunded=sum(charge.refunded > 0 for made in of.values() for charge in made),
        doubled=tuple(sorted(subject for subject, made in of.items() if _doubled(made))),
        unsettled=tuple(
            sorted(
                subject
                for subject, kept in till.kept.items()
                if sum(charge.amount - charge.refunded for charge in of[subject]) != kept
            )
        ),
    )


def _doubled(made: list[Charge]) -> bool:
    return len(made) > 1 or any(charge.refunded > charge.amount for charge in made)
