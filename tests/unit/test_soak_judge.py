"""The soak: what grows is found and what comes and goes is not; nobody begins anew meanwhile."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from random import Random

import pytest

from tests.chaos.schedule import Verb
from tests.soak.judge import Bound, Points, second_half, trend
from tests.soak.kinds import BOUNDS, Kind
from tests.soak.scenario import Soak

MEMORY = Bound("MiB", an_hour=30.0, least=8.0)
TWENTY_MINUTES = range(0, 1200, 10)


def series(value: Callable[[float], float]) -> Points:
    return [(float(at), value(at)) for at in TWENTY_MINUTES]


def noisy(value: Callable[[float], float], by: float, seed: int = 1) -> Points:
    dice = Random(seed)
    return series(lambda at: value(at) + dice.uniform(-by, by))


def test_a_series_that_grows_is_found_with_its_slope() -> None:
    found = trend(noisy(lambda at: 100 + at / 60, 0.5), MEMORY)  # a MiB a minute
    assert found.grows
    assert found.an_hour == pytest.approx(60, rel=0.1)
    assert found.end - found.begin == pytest.approx(10, rel=0.1)


@pytest.mark.parametrize(
    "flat",
    [
        series(lambda at: 100.0),
        noisy(lambda at: 100.0, 5.0),
        noisy(lambda at: 100 - at / 60, 0.5),
        series(lambda at: 100 + 5 * math.sin(at / 40)),  # what a vacuum or a pool does
        series(lambda at: min(100 + at / 3, 250.0)),  # it warms up, for the first half
        noisy(lambda at: 100 + at / 3600 * 10, 0.5),  # it grows by less than the bound
        series(lambda at: 100.0 if at < 1100 else 104.0),  # a step, of what comes and goes
    ],
    ids=["constant", "noise", "shrinks", "waves", "warms up", "slowly", "a step"],
)
def test_one_that_does_not_passes(flat: Points) -> None:
    assert not trend(flat, MEMORY).grows


def test_noise_alone_is_no_growth_whatever_the_dice_say() -> None:
    assert [seed for seed in range(200) if trend(noisy(lambda at: 50, 9, seed), MEMORY).grows] == []


def test_a_share_is_of_the_series_own_size() -> None:
    tenth_an_hour = Bound("bytes", an_hour=0.1, least=0.01, share=True)
    assert trend(series(lambda at: 1000 + at / 3600 * 200), tenth_an_hour).grows
    assert not trend(series(lambda at: 1000 + at / 3600 * 50), tenth_an_hour).grows


def test_of_too_few_points_nothing_is_said() -> None:
    for few in ([], [(0.0, 1.0)], [(at * 10.0, at * 1e6) for at in range(7)]):
        assert not trend(few, MEMORY).grows


def test_the_first_half_is_by_time_not_by_points() -> None:
    assert second_half([(0.0, 1), (1.0, 2), (2.0, 3), (100.0, 4)]) == [(100.0, 4)]


def test_every_kind_of_series_has_its_bound() -> None:
    assert set(BOUNDS) == set(Kind)


def test_a_little_goes_wrong_all_the_time_and_nobody_is_killed() -> None:
    steps = Soak(minutes=20, seed=1).plan()
    assert {step.verb for step in steps} == {Verb.SCRIPT, Verb.DISTURB, Verb.CALM}
    moments = [step.at for step in steps]
    assert moments == sorted(moments)
    assert max(after - at for at, after in itertools.pairwise(moments)) < 10
    assert list(map(str, steps)) == list(map(str, Soak(minutes=20, seed=1).plan()))
