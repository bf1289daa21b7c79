"""Several providers of one channel: who comes first for a delivery, and how a poll's turns are
divided."""

from __future__ import annotations

import time
from collections import Counter
from itertools import pairwise

import pytest

from notifications.providers import Provider, ranked
from notifications.worker import shares
from notifications.worker.turns import Turn, draw, whose

SES, RELAY, SPARE = (
    Provider("email", name, weight, "") for name, weight in (("ses", 9), ("relay", 1), ("spare", 3))
)
KEYS = [f"delivery-{number}.0" for number in range(5000)]


def test_each_comes_first_as_often_as_its_weight_says() -> None:
    first = Counter(ranked((SES, RELAY), key)[0].name for key in KEYS)

    assert 0.88 < first["ses"] / len(KEYS) < 0.92


def test_the_order_for_a_delivery_stays_and_does_not_hang_on_who_else_is_there() -> None:
    for key in KEYS[:200]:
        order = ranked((SES, RELAY, SPARE), key)
        assert ranked((SPARE, SES, RELAY), key) == order
        assert ranked((SES, RELAY), key) == [each for each in order if each is not SPARE]


def test_where_the_first_is_out_the_others_share_its_messages_by_their_weights() -> None:
    orders = [ranked((SES, RELAY, SPARE), key) for key in KEYS]
    second = Counter(order[1].name for order in orders if order[0] is SES)

    assert 0.7 < second["spare"] / second.total() < 0.8


@pytest.mark.parametrize("most", range(11))
def test_turns_are_divided_by_weight_in_whole_numbers(most: int) -> None:
    divided = shares.divided((RELAY, SES, SPARE), most)

    assert [provider for provider, _ in divided] == [SES, SPARE, RELAY]
    assert sum(share for _, share in divided) == most
    assert all(more >= less for (_, more), (_, less) in pairwise(divided))


class Till:
    """Sells the turns of each account until there are none."""

    def __init__(self, **stock: int | None) -> None:
        self.stock = stock
        self.asked: list[tuple[str, int]] = []

    def __call__(self, provider: Provider, most: int) -> shares.Bought | None:
        self.asked.append((provider.name, most))
        left = self.stock[provider.name]
        if left is None:
            return None
        sold = min(left, most)
        self.stock[provider.name] = left - sold
        return tuple(float(number) for number in range(sold)), 0.5 if sold < most else 0.0


def bought_of(found: shares.Bought | None) -> Counter[str]:
    assert found is not None
    return Counter(whose(turn) for turn in found[0])


def test_each_account_sells_its_share() -> None:
    found = shares.buy((RELAY, SES), 10, Till(ses=100, relay=100))

    assert bought_of(found) == {"email.ses": 9, "email.relay": 1}


@pytest.mark.parametrize("scarce", ["ses", "relay"])
def test_what_one_account_lacks_the_other_gives(scarce: str) -> None:
    found = shares.buy((RELAY, SES), 10, Till(**{"ses": 100, "relay": 100, scarce: 0}))

    other = "relay" if scarce == "ses" else "ses"
    assert bought_of(found) == {f"email.{other}": 10}


def test_when_all_are_sold_out_the_shortest_wait_is_told() -> None:
    found = shares.buy((RELAY, SES), 10, Till(ses=2, relay=1))

    assert bought_of(found) == {"email.ses": 2, "email.relay": 1}
    assert found is not None
    assert found[1] == 0.5


def test_where_one_has_no_limit_nothing_limits_them_together_and_no_turn_is_lost() -> None:
    class Now(Till):
        def __call__(self, provider: Provider, most: int) -> shares.Bought | None:
            bought = super().__call__(provider, most)
            return bought and (tuple(time.monotonic() + 1 for _ in bought[0]), bought[1])

    assert shares.buy((RELAY, SES), 10, Now(ses=100, relay=None)) is None

    assert len(draw("email.ses", 100, late=1)) == 9


def test_a_turn_is_the_moment_and_knows_its_account() -> None:
    turn = Turn(12.5, "email.ses")

    assert (float(turn), whose(turn), whose(12.5), whose(None)) == (12.5, "email.ses", "", "")
