"""Customers who order, and staff who ship, cancel and refund."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from random import Random

from tests.chaos.errands import Errands

FATES: Mapping[tuple[str, ...], int] = {
    ("ship",): 48,
    ("ship", "refund"): 6,
    ("refund", "ship"): 6,
    ("cancel",): 10,
    ("refund", "cancel"): 5,
    ("refund",): 5,
    (): 20,
}
"""What is done with an order right after it was placed, and with how many of a hundred. A refund is
half of the price, or all of it."""


@dataclass(frozen=True)
class Shopper:
    """One customer: id, and the ids of what is offered to them."""

    customer: int
    offer: Sequence[int]


class Shoppers(Errands):
    """What becomes of the nth order is the seed's. A customer whose order was not answered places
    it again, and the shop may have two."""

    def __init__(
        self, url: str, shoppers: Sequence[Shopper], *, orders: int, seconds: float, seed: int
    ) -> None:
        super().__init__(url, errands=orders, seconds=seconds)
        self._shoppers = shoppers
        self._seed = seed

    def run(self, number: int) -> None:
        dice = Random(f"order {number} of {self._seed}")
        shopper = dice.choice(self._shoppers)
        products = dice.sample(list(shopper.offer), dice.choice([1, 1, 1, 2, 3]))
        placed = self.ask("/checkout", customer=shopper.customer, products=products)
        if placed is None:
            return
        order = int(placed["order"])
        self.acknowledged.append(("placed", order))
        for verb in dice.choices(list(FATES), weights=list(FATES.values()))[0]:
            asked = {"half": dice.random() < 0.5} if verb == "refund" else {}
            if self.ask(f"/orders/{order}/{verb}", **asked) is None:
                return
            self.acknowledged.append((verb, order))
