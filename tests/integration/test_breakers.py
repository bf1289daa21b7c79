"""Breakers in the database: when they open, who probes, and what closes them."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import TypeVar

import pytest
from django.db import connection
from django.db.models import F

from notifications.models import Breaker
from notifications.models.breaker import FAILURES, FIRST_BACK_OFF, LONGEST_BACK_OFF

LEASE = timedelta(seconds=30)
MINUTE = timedelta(minutes=1)
T = TypeVar("T")

pytestmark = pytest.mark.django_db(transaction=True)


def at_once(times: int, call: Callable[[], T]) -> list[T]:
    """What `times` threads get that call at the same time, each on its own connection."""

    def one(_number: int) -> T:
        try:
            return call()
        finally:
            connection.close()

    with ThreadPoolExecutor(times) as pool:
        return list(pool.map(one, range(times)))


def fail(times: int = 1, *, took: float = 0.0) -> list[float | None]:
    return [Breaker.objects.failed("email", "503", took=took) for _ in range(times)]


def let_time_pass(by: timedelta = MINUTE) -> None:
    """As though everything about the breaker had happened that much earlier."""
    Breaker.objects.update(opened_at=F("opened_at") - by, probe_at=F("probe_at") - by)
    Breaker.objects.exclude(probe_until=None).update(probe_until=F("probe_until") - by)


def the_breaker() -> Breaker:
    return Breaker.objects.get(account="email")


def is_open() -> bool:
    return the_breaker().state == Breaker.State.OPEN


def test_it_opens_at_the_fifth_failure_in_a_row() -> None:
    *before, fifth = fail(FAILURES)

    assert before == [None] * (FAILURES - 1)
    assert fifth is not None
    assert FIRST_BACK_OFF / 2 <= fifth <= FIRST_BACK_OFF
    assert is_open()
    assert the_breaker().openings == 1


def test_a_success_starts_the_row_of_failures_anew() -> None:
    fail(FAILURES - 1)

    assert Breaker.objects.succeeded("email") is False
    assert fail(FAILURES - 1) == [None] * (FAILURES - 1)
    assert not is_open()


def test_an_account_that_never_failed_gets_no_row_by_a_success() -> None:
    assert Breaker.objects.succeeded("email") is False
    assert not Breaker.objects.exists()


@pytest.mark.parametrize("earlier", [0, 2])
def test_a_paused_account_opens_it_at_once(earlier: int) -> None:
    fail(earlier)

    seconds = Breaker.objects.failed("email", "suspended", at_once=True)

    assert seconds is not None
    assert seconds <= FIRST_BACK_OFF
    assert is_open()
    assert the_breaker().openings == 1


@pytest.mark.parametrize("earlier", [0, 2])
def test_what_the_provider_asks_for_goes_over_our_back_off(earlier: int) -> None:
    fail(earlier)

    seconds = Breaker.objects.failed("email", "suspended", at_once=True, retry_after=900)

    assert seconds == pytest.approx(900, abs=1)


def test_a_retry_after_that_comes_late_puts_the_probe_off_and_counts_no_opening() -> None:
    fail(FAILURES)

    late = [
        Breaker.objects.failed("email", "suspended", at_once=True, retry_after=900)
        for _ in range(3)
    ]

    assert late == [pytest.approx(900, abs=1), None, None]
    assert the_breaker().openings == 1


def test_fifty_failures_that_arrive_at_once_open_it_once() -> None:
    opened = at_once(50, lambda: Breaker.objects.failed("email", "503"))

    assert sum(seconds is not None for seconds in opened) == 1
    assert the_breaker().openings == 1
    assert the_breaker().failures == FAILURES


def test_before_its_time_nobody_probes() -> None:
    fail(FAILURES)

    assert not Breaker.objects.try_probe("email", LEASE)


def test_of_many_workers_one_probes() -> None:
    fail(FAILURES)
    let_time_pass()

    assert sum(at_once(20, lambda: Breaker.objects.try_probe("email", LEASE))) == 1


def test_the_probe_of_a_worker_that_died_is_somebody_elses_when_its_lease_ends() -> None:
    fail(FAILURES)
    let_time_pass()
    Breaker.objects.try_probe("email", LEASE)
    assert not Breaker.objects.try_probe("email", LEASE)

    let_time_pass(LEASE)

    assert Breaker.objects.try_probe("email", LEASE)


def test_a_probe_that_asked_no_provider_is_anothers_at_once() -> None:
    fail(FAILURES)
    let_time_pass()
    Breaker.objects.try_probe("email", LEASE)

    assert Breaker.objects.release_probe("email")
    assert Breaker.objects.try_probe("email", LEASE)


def test_the_back_off_doubles_with_each_probe_that_fails_up_to_its_longest() -> None:
    fail(FAILURES)
    waits = []
    for _ in range(8):
        let_time_pass(timedelta(seconds=LONGEST_BACK_OFF))
        assert Breaker.objects.try_probe("email", LEASE)
        waits += fail()

    longest = [10, 20, 40, 80, 160, 300, 300, 300]
    assert all(
        wait is not None and most / 2 <= wait <= most
        for wait, most in zip(waits, longest, strict=True)
    ), waits
    assert the_breaker().openings == 9


def test_failures_beside_the_probes_put_off_nothing_more() -> None:
    fail(FAILURES)
    let_time_pass()
    Breaker.objects.try_probe("email", LEASE)

    put_off = at_once(20, lambda: Breaker.objects.failed("email", "503"))

    assert sum(seconds is not None for seconds in put_off) == 1
    assert the_breaker().openings == 2


def test_a_failure_of_a_send_older_than_the_probe_is_not_the_probes() -> None:
    fail(FAILURES)
    let_time_pass(timedelta(seconds=10))
    Breaker.objects.try_probe("email", LEASE)

    assert fail(took=20) == [None]
    assert the_breaker().probe_until is not None


def test_a_success_closes_it_and_the_next_opening_starts_the_back_off_anew() -> None:
    fail(FAILURES)
    let_time_pass()
    Breaker.objects.try_probe("email", LEASE)
    fail()
    let_time_pass()
    Breaker.objects.try_probe("email", LEASE)

    assert Breaker.objects.succeeded("email") is True

    closed = the_breaker()
    assert not is_open()
    assert (closed.failures, closed.openings) == (0, 0)
    assert (closed.opened_at, closed.probe_at, closed.probe_until) == (None, None, None)
    seconds = fail(FAILURES)[-1]
    assert seconds is not None
    assert seconds <= FIRST_BACK_OFF


def test_a_success_of_a_send_from_before_the_opening_does_not_close_it() -> None:
    fail(FAILURES)

    assert Breaker.objects.succeeded("email", took=20) is False
    assert is_open()
    assert Breaker.objects.succeeded("email") is True


def test_successes_that_arrive_at_once_close_it_once() -> None:
    fail(FAILURES)

    assert sum(at_once(20, lambda: Breaker.objects.succeeded("email"))) == 1


def test_one_account_opens_alone() -> None:
    fail(FAILURES)

    assert Breaker.objects.failed("sms", "503") is None
    assert Breaker.objects.get(account="sms").state == Breaker.State.CLOSED
