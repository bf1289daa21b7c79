"""How long a message of a FIFO queue is hidden: days may go by before it is a dead letter."""

from __future__ import annotations

import pytest

from notifications.topology import SPARE_RECEIVES
from notifications.worker import hiding
from notifications.worker.task import MOST_RECEIVES

DAY = 24 * 3600


@pytest.mark.parametrize(
    ("seconds", "worn", "hidden"),
    [(2, 0, 2), (2, 1, 60), (2, 3, 240), (500, 3, 500), (24 * 3600, 0, 11 * 3600)],
)
def test_a_wait_is_kept_until_its_message_is_worn_and_within_what_sqs_allows(
    seconds: float, worn: int, hidden: float
) -> None:
    assert hiding.wait(seconds, worn=worn) == hidden


def test_short_waits_of_a_worn_message_take_most_of_a_day_before_it_is_a_dead_letter() -> None:
    left = range(1, SPARE_RECEIVES - MOST_RECEIVES + 1)
    assert sum(hiding.wait(2, worn=worn) for worn in left) > DAY / 2


def test_a_paused_type_is_looked_at_for_four_days() -> None:
    looks = [hiding.look_at_paused(receives) for receives in range(1, 8 + SPARE_RECEIVES)]
    assert looks == sorted(looks)
    assert sum(looks) > 4 * DAY


def test_a_pause_that_is_over_is_seen_after_about_as_long_as_it_lasted() -> None:
    waited = 0.0
    for receives in range(1, 10):
        look = hiding.look_at_paused(receives)
        assert look <= waited + hiding.PAUSED_WAIT
        waited += look
