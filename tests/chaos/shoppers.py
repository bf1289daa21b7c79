"""Customers who order, and staff who ship and cancel."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

from tests.chaos.errands import Errands

SHIPPED, CANCELLED = 0.6, 0.1
"""The shares of orders that are shipped, and that are cancelled, right after they were placed."""


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
        fate = dice.random()
        for verb, share in (("ship", SHIPPED), ("cancel", SHIPPED + CANCELLED)):
            if fate < share:
                if self.ask(f"/orders/{order}/{verb}") is not None:
                    self.acknowledged.append((verb, order))
                return
