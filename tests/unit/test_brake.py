"""The brake: the relay slows down while nothing gets through, and only then."""

from __future__ import annotations

from notifications.relay import FIRST_PAUSE, LONGEST_PAUSE, SEVERAL, Brake
from tests.waiting import wait_for


def test_while_calls_get_through_there_is_no_pause() -> None:
    brake = Brake()

    brake.call_ended(got_through=True)

    assert brake.seconds == 0


def test_calls_that_fail_side_by_side_are_one_failure() -> None:
    brake = Brake()

    for _ in range(8):
        brake.call_ended(got_through=False)

    assert 0 < brake.seconds <= FIRST_PAUSE


def test_the_pause_grows_with_every_failure_that_follows_it() -> None:
    brake = Brake()
    brake.call_ended(got_through=False)
    wait_for(lambda: brake.seconds == 0)

    brake.call_ended(got_through=False)

    assert FIRST_PAUSE < brake.seconds <= 2 * FIRST_PAUSE < LONGEST_PAUSE


def test_one_call_that_gets_through_ends_it() -> None:
    brake = Brake()
    brake.call_ended(got_through=False)

    brake.call_ended(got_through=True)

    assert brake.seconds == 0


def test_several_calls_that_fail_one_after_the_other_say_that_it_is_stuck() -> None:
    brake = Brake()
    for _ in range(SEVERAL):
        assert not brake.is_stuck
        wait_for(lambda: brake.seconds == 0)
        brake.call_ended(got_through=False)
    assert brake.is_stuck

    brake.call_ended(got_through=True)

    assert not brake.is_stuck
