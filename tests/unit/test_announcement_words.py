"""How an announcement's channels are told of."""

from __future__ import annotations

import pytest

from notifications.announcement_progress import LaneStanding, lane_in_words


@pytest.mark.parametrize(
    ("limit", "said"),
    [
        (0.5, "20.2/m of 30/m"),
        (50.0, "0.336/s of 50/s"),
        (0.1, "20.2/m of 6/m"),
        (None, "0.336/s"),
    ],
)
def test_a_pace_is_told_in_the_unit_of_its_limit(limit: float | None, said: str) -> None:
    lane = LaneStanding("sms", 120, 119, 1, 0, {"sent": 119}, 0.336, limit, None)
    assert lane_in_words(lane) == f"119 sent, 1 under way, {said}"
