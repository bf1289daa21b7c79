"""An account's limit holds over everybody who asks, is used up, and can be changed at any time."""

from __future__ import annotations

import math
import threading
import time
from datetime import timedelta

import pytest
from django.db.models.functions import Now

from notifications.models import RateLimit
from notifications.models.rate_limit import Grant
from tests.integration.together import at_once

pytestmark = pytest.mark.django_db(transaction=True)

ACCOUNT = "email"


def grant(
    declared: float | None = 5.0, *, most: int = 1, horizon: float = 0.0, whole: bool = False
) -> Grant:
    granted = RateLimit.objects.grant(ACCOUNT, declared, most=most, horizon=horizon, whole=whole)
    assert granted is not None
    return granted


def row() -> RateLimit:
    return RateLimit.objects.get(account=ACCOUNT)


def test_units_start_one_interval_apart() -> None:
    granted = grant(5.0, most=3, horizon=1.0)

    first, second, third = granted.starts
    assert first <= 0.0
    assert second - first == pytest.approx(0.2, abs=0.05)
    assert third - second == pytest.approx(0.2)


def test_no_unit_is_granted_beyond_the_horizon_and_the_wait_says_when_to_ask_again() -> None:
    granted = grant(5.0, most=10, horizon=0.5)

    assert len(granted.starts) == 3
    assert granted.wait == pytest.approx(0.1, abs=0.05)


def test_what_nobody_reserved_ahead_is_all_that_is_left_without_a_horizon() -> None:
    assert len(grant(5.0, most=10, horizon=0.25).starts) == 2

    left = grant(5.0, most=10, horizon=0.0)

    assert left.starts == ()
    assert 0.2 < left.wait <= 0.4


def test_a_send_of_several_units_gets_all_or_none_and_starts_with_its_last() -> None:
    whole = grant(3.0, most=3, horizon=0.0, whole=True)
    none = grant(3.0, most=3, horizon=0.0, whole=True)

    assert whole.starts[-1] == pytest.approx(2 / 3, abs=0.05)
    assert none.starts == ()
    assert row().granted == 3


def test_a_burst_is_granted_at_once_after_a_rest() -> None:
    RateLimit.objects.set_override(ACCOUNT, 5.0, burst=4, by="ada", reason="warmed up")

    granted = grant(most=10, horizon=0.0)

    assert len(granted.starts) == 4
    assert len(grant(most=10, horizon=0.0).starts) == 0


def test_a_rest_saves_up_no_more_than_the_burst() -> None:
    grant(5.0)
    RateLimit.objects.update(next_at=Now() - timedelta(hours=1))

    assert len(grant(5.0, most=10, horizon=0.0).starts) == 1


def test_an_account_without_a_limit_is_not_even_written_down() -> None:
    assert RateLimit.objects.grant(ACCOUNT, None, most=5, horizon=0.0) is None
    assert not RateLimit.objects.exists()


def test_an_override_limits_what_declares_no_limit() -> None:
    RateLimit.objects.set_override(ACCOUNT, 2.0, by="ada", reason="they asked us to")

    assert len(grant(None, most=5, horizon=0.0).starts) == 1
    assert grant(None, most=5, horizon=0.0).rate == 2.0


def test_an_override_without_end_lifts_the_limit() -> None:
    RateLimit.objects.set_override(ACCOUNT, math.inf, by="ada", reason="a flat rate")

    assert RateLimit.objects.grant(ACCOUNT, 5.0, most=100, horizon=0.0) is None
    assert row().effective is None


def test_the_next_grant_knows_a_changed_limit() -> None:
    grant(1 / 3600, most=1)

    RateLimit.objects.set_override(ACCOUNT, 100.0, by="ada", reason="a new contract")
    faster = grant(1 / 3600, most=100, horizon=3.0)

    assert len(faster.starts) > 50
    assert faster.rate == 100.0


def test_what_is_taken_back_leaves_what_the_task_declares() -> None:
    RateLimit.objects.set_override(ACCOUNT, 1 / 3600, by="ada", reason="slowly")
    grant(5.0)

    assert RateLimit.objects.take_back(ACCOUNT, by="bob", reason="enough")
    granted = grant(5.0, most=100, horizon=3.0)

    assert granted.rate == 5.0
    assert len(granted.starts) >= 5
    assert (row().changed_by, row().reason, row().override) == ("bob", "enough", None)
    assert not RateLimit.objects.take_back(ACCOUNT, by="bob", reason="again")


def test_a_deploy_that_declares_more_is_not_held_back_by_what_was_declared() -> None:
    grant(1 / 3600)

    granted = grant(5.0, most=100, horizon=3.0)

    assert len(granted.starts) >= 4
    assert row().declared == 5.0


def test_what_two_deployments_declare_in_turn_never_lets_more_through_than_the_larger() -> None:
    """While one replaces the other: what either reserved for a send of many units is owed still."""
    began = time.monotonic()
    while (passed := time.monotonic() - began) < 2.0:
        for per_second in (10.0, 20.0):
            grant(per_second, most=20, horizon=2.0, whole=True)

    horizon_and_last = 2.0 * 20 + 20
    assert row().granted <= passed * 20 + horizon_and_last


def test_a_deploy_that_declares_less_waits_no_longer_than_a_minute_and_an_interval() -> None:
    grant(1000.0, most=2000, horizon=2.0)

    assert grant(1 / 86_400).wait <= 60 + 86_400


@pytest.mark.parametrize("rate", [0.0, -1.0, math.nan])
def test_what_is_no_rate_is_refused(rate: float) -> None:
    with pytest.raises(ValueError, match="pause"):
        RateLimit.objects.set_override(ACCOUNT, rate, by="ada", reason="stop")


@pytest.mark.parametrize("per_second", [5.0, 50.0])
def test_eight_at_once_never_get_more_than_the_limit_and_get_nearly_all_of_it(
    per_second: float,
) -> None:
    until = time.monotonic() + 3.0
    taken: list[float] = []

    def take() -> None:
        while (now := time.monotonic()) < until:
            granted = grant(per_second, most=10, horizon=0.25)
            answered = time.monotonic()
            taken.extend(answered + start for start in granted.starts)
            threading.Event().wait(min(granted.wait + 0.05, 0.2, until - now))

    at_once(take, 8)

    starts = sorted(start for start in taken if start < until)
    assert busiest_second(starts) <= per_second + max(1, per_second / 10)
    seconds = until - starts[0]
    assert len(starts) >= 0.97 * math.floor(seconds * per_second)
    assert row().granted == len(taken)


def busiest_second(starts: list[float]) -> int:
    """The most of these moments that lie in any window of one second."""
    return max(
        sum(first <= start < first + 1.0 for start in starts[position:])
        for position, first in enumerate(starts)
    )
