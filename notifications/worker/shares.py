"""Shares: how the turns of one poll are bought of several accounts.

Each is asked for its weight's share. What one cannot give the others may: so a backlog uses the
limit of every account, and weights decide while no limit does.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from notifications.providers import Provider
from notifications.worker.turns import Turn, deposit

Bought = tuple[tuple[float, ...], float]
"""Starts of turns, and the seconds until there are more."""


def buy(
    providers: Sequence[Provider], most: int, ask: Callable[[Provider, int], Bought | None]
) -> Bought | None:
    """Up to `most` turns, each knowing its account, and the seconds until there are more.

    ask: buys up to so many of one account; None when that has no limit. Then nothing limits all of
    them together, and the answer is None: what the others cannot take, that one will.
    """
    turns: list[Turn] = []
    waits: list[float] = []
    giving: list[Provider] = []
    lacking = 0
    for provider, share in divided(providers, most):
        wanted = lacking + share
        bought = ask(provider, wanted)
        if bought is None:
            for turn in turns:
                deposit(turn.account, [turn])
            return None
        lacking = wanted - _add(turns, provider, bought)
        if lacking:
            waits.append(bought[1])
        else:
            giving.append(provider)
    for provider in giving if lacking else ():
        if lacking and (bought := ask(provider, lacking)) is not None:
            lacking -= _add(turns, provider, bought)
            waits.append(bought[1])
    return tuple(turns), min(waits, default=0.0)


def divided(providers: Sequence[Provider], most: int) -> list[tuple[Provider, int]]:
    """`most` by weight, the heaviest first, in whole numbers that add up to it."""
    heaviest_first = sorted(providers, key=lambda each: -each.weight)
    weight_left = sum(each.weight for each in heaviest_first)
    shares, left = [], most
    for provider in heaviest_first:
        share = min(left, round(left * provider.weight / weight_left))
        shares.append((provider, share))
        left -= share
        weight_left -= provider.weight
    return shares


def _add(turns: list[Turn], provider: Provider, bought: Bought) -> int:
    starts, _ = bought
    turns += [Turn(start, provider.account) for start in starts]
    return len(starts)
