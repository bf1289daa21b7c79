"""Orders at a pace that is kept for as long as is asked, with the fault lab on low."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random

from tests.chaos.ground import Ground
from tests.chaos.orders import Orders
from tests.chaos.scenario import CHANNELS
from tests.chaos.schedule import Step, Verb
from tests.chaos.shoppers import Shoppers
from tests.chaos.troubles import (
    BROKER,
    DECLINES,
    LOOKUPS,
    PAYMENTS,
    REFUSALS,
    SINGLES,
    Behaviour,
)

AT_MOST = 12
"""Orders a second, for which there is stock and there are customers."""


class Soak(Orders):
    """First `rush()`, as quickly as it goes; then `begin()` at a pace of `per_second` orders."""

    def __init__(self, *, minutes: float, seed: int) -> None:
        super().__init__(size=int(minutes * 60 * AT_MOST), seed=seed)
        self._minutes = minutes
        self._rushed: list[tuple[str, int]] = []
        self.per_second = 0.0

    @property
    def title(self) -> str:
        return f"{self._minutes:g} minutes at {self.per_second:.1f} orders a second"

    @property
    def seconds(self) -> float:
        return self._minutes * 60

    def plan(self) -> tuple[Step, ...]:
        """Nobody is killed and no part restarted: whoever begins anew cannot have grown."""
        return tuple(sorted([*self._sends(), *self._payments(), *self._broker()]))

    def rush(self, *, web: str, orders: int, seed: int) -> Shoppers:
        """So many orders at once, begun."""
        shoppers = Shoppers(web, self._cast, orders=orders, seconds=orders / AT_MOST / 8, seed=seed)
        shoppers.start()
        return shoppers

    def rushed(self, shoppers: Shoppers) -> None:
        """It is over: what the shop has said counts."""
        shoppers.stop()
        self._rushed += shoppers.acknowledged

    def begin(self, ground: Ground, *, web: str) -> None:
        self._sandbox = ground.sandbox
        self._shoppers = Shoppers(
            web,
            self._cast,
            orders=max(1, round(self.per_second * self.seconds)),
            seconds=self.seconds,
            seed=self.seed,
        )
        self._shoppers.acknowledged += self._rushed
        self._shoppers.start()

    def _sends(self) -> Iterator[Step]:
        """One send in some dozens fails, in every way that a provider has."""
        dice = self._dice("sends")
        for at in self._moments(dice, 1.5, 4.5):
            channel = dice.choice(CHANNELS)
            behaviours = [*SINGLES, REFUSALS[channel]] if dice.random() < 0.2 else SINGLES
            yield _script(at, channel, dice.choice(behaviours))

    def _payments(self) -> Iterator[Step]:
        dice = self._dice("payments")
        for at in self._moments(dice, 5.0, 15.0):
            asked = dice.choice((PAYMENTS, PAYMENTS, LOOKUPS))
            behaviours = (*SINGLES, *DECLINES) if asked == PAYMENTS else SINGLES
            yield _script(at, asked, dice.choice(behaviours))

    def _broker(self) -> Iterator[Step]:
        """SNS and SQS fail for a second or two of each minute."""
        dice = self._dice("broker")
        for at in self._moments(dice, 40.0, 80.0):
            trouble = dice.choice(BROKER)
            yield Step(at, Verb.DISTURB, trouble.name, trouble.words)
            yield Step(at + round(dice.uniform(1.0, 2.0), 1), Verb.CALM, trouble.name)

    def _dice(self, kind: str) -> Random:
        return Random(f"{kind} of {self.seed}, on low")

    def _moments(self, dice: Random, shortest: float, longest: float) -> Iterator[float]:
        at = dice.uniform(0.0, longest)
        while at < self.seconds:
            yield round(at, 1)
            at += dice.uniform(shortest, longest)


def _script(at: float, provider: str, behaviour: Behaviour) -> Step:
    return Step(at, Verb.SCRIPT, provider, {**behaviour.words, "times": 1})
