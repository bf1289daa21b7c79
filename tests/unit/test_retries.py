"""Retry words become seconds."""

from __future__ import annotations

import pytest
from celery import Celery
from hypothesis import given
from hypothesis import strategies as st

from notifications.retries import RETRY_AFTER_MAX, RetryPolicy, delay, schedule

DECLARED = {
    "max_retries": 8,
    "retry_backoff": 2,
    "retry_backoff_max": 600,
    "retry_jitter": True,
}
POLICY = RetryPolicy(max_retries=8, backoff=2, backoff_max=600, jitter=True)


def _nothing() -> None:
    """A task."""


def test_a_policy_is_what_the_task_was_declared_with() -> None:
    task = Celery(set_as_current=False).task(autoretry_for=(OSError,), **DECLARED)(_nothing)

    assert RetryPolicy.of(task) == POLICY


def test_a_task_that_declares_nothing_has_the_defaults_of_celery() -> None:
    task = Celery(set_as_current=False).task(_nothing)

    assert RetryPolicy.of(task) == RetryPolicy(max_retries=3, backoff=0)
    assert schedule(RetryPolicy.of(task)) == [180, 180, 180]


@pytest.mark.S0
def test_the_series_doubles_up_to_the_maximum() -> None:
    assert schedule(POLICY) == [2, 4, 8, 16, 32, 64, 128, 256]
    assert schedule(RetryPolicy(max_retries=4, backoff=200, backoff_max=600)) == [
        200,
        400,
        600,
        600,
    ]


def test_an_endless_policy_shows_its_series_up_to_the_maximum() -> None:
    assert schedule(RetryPolicy(max_retries=None, backoff=100, backoff_max=300)) == [100, 200, 300]
    assert schedule(RetryPolicy(max_retries=None, backoff=0)) == [180]


@given(attempts=st.integers(1, 10_000))
def test_full_jitter_lies_between_nothing_and_the_series(attempts: int) -> None:
    assert 0 <= delay(POLICY, attempts) <= min(600, 2 * 2 ** (attempts - 1))


def test_without_jitter_the_series_is_kept_exactly() -> None:
    steady = RetryPolicy(max_retries=8, backoff=2, backoff_max=600, jitter=False)

    assert [delay(steady, attempts) for attempts in range(1, 9)] == schedule(steady)


@pytest.mark.parametrize(
    ("asked", "waited"), [(0, 0), (7.5, 7.5), (-3, 0), (10**9, RETRY_AFTER_MAX)]
)
def test_the_providers_retry_after_goes_over_our_series_up_to_an_hour(
    asked: float, waited: float
) -> None:
    assert delay(POLICY, 1, retry_after=asked) == waited


def test_one_try_more_than_the_retries_exhausts_a_policy() -> None:
    assert not POLICY.exhausted_by(8)
    assert POLICY.exhausted_by(9)
    assert not RetryPolicy(max_retries=None).exhausted_by(10**6)
