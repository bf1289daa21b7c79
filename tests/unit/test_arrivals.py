"""How the rate benchmark counts what arrived."""

from __future__ import annotations

import pytest

from tests.benchmarks.arrivals import Arrivals


@pytest.mark.parametrize(
    ("times", "most"),
    [
        ([], 0),
        ([5.0], 1),
        ([0.0, 0.5, 0.999], 3),
        ([0.0, 1.0, 2.0], 1),
        ([0.9, 1.0, 1.1, 2.5], 3),
        ([1.1, 0.9, 1.0], 3),
    ],
)
def test_the_fullest_second_may_begin_anywhere(times: list[float], most: int) -> None:
    assert Arrivals.of(times).most_in_a_second() == most


def test_a_minute_is_counted_from_the_first_arrival() -> None:
    arrivals = Arrivals.of([100.0, 130.0, 159.9, 160.0, 170.0])
    assert arrivals.within(60) == 3
    assert len(arrivals.after(130.0)) == 4
