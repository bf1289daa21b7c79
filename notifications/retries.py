"""When to try again: the words a task is declared with, turned into seconds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from celery.utils.time import get_exponential_backoff_interval

RETRY_AFTER_MAX = 3600.0
"""Seconds; the most that a provider's Retry-After may ask for. We look again after that."""


@dataclass(frozen=True)
class RetryPolicy:
    """Celery's own retry words, as declared on a task.

    max_retries: retries after the first try; None is for ever.
    backoff: the factor in seconds of the exponential series; 0 waits `fixed_delay` each time.
    backoff_max: the longest wait of the series, in seconds.
    jitter: full jitter, anything between nothing and the series' value.
    fixed_delay: Celery's `default_retry_delay`, seconds, used without a backoff.
    """

    max_retries: int | None = 3
    backoff: float = 1
    backoff_max: int = 600
    jitter: bool = True
    fixed_delay: float = 180.0

    @classmethod
    def of(cls, task: Any) -> RetryPolicy:
        """What `task` was declared with; the defaults are those of Celery's autoretry."""
        return cls(
            max_retries=task.max_retries,
            backoff=float(getattr(task, "retry_backoff", False)),
            backoff_max=int(getattr(task, "retry_backoff_max", 600)),
            jitter=bool(getattr(task, "retry_jitter", True)),
            fixed_delay=float(task.default_retry_delay),
        )

    def exhausted_by(self, attempts: int) -> bool:
        """Whether `attempts` failed ones are all that this policy allows."""
        return self.max_retries is not None and attempts > self.max_retries


def delay(policy: RetryPolicy, attempts: int, retry_after: float | None = None) -> float:
    """Seconds until the next try after `attempts` (1 or more) failed ones.

    A provider's Retry-After goes over our own series, up to RETRY_AFTER_MAX. The series is
    Celery's: `factor * 2 ** retries` up to the maximum, with full jitter
    (celery.utils.time.get_exponential_backoff_interval, called as celery.app.autoretry does).
    """
    if retry_after is not None:
        return min(max(retry_after, 0.0), RETRY_AFTER_MAX)
    return _wait(policy, attempts, jitter=policy.jitter)


def schedule(policy: RetryPolicy) -> list[float]:
    """The longest wait before each retry, in seconds: what the documentation promises.

    For a policy without end, the waits until the series reaches its maximum.
    """
    waits: list[float] = []
    while not policy.exhausted_by(len(waits) + 1):
        waits.append(_wait(policy, len(waits) + 1, jitter=False))
        if policy.max_retries is None and (not policy.backoff or waits[-1] >= policy.backoff_max):
            break
    return waits


def _wait(policy: RetryPolicy, attempts: int, *, jitter: bool) -> float:
    if not policy.backoff:
        return policy.fixed_delay
    return float(
        get_exponential_backoff_interval(
            factor=int(max(1.0, policy.backoff)),
            # 2 ** 64 seconds is beyond any maximum: without the cap the power would grow for ever.
            retries=min(max(attempts, 1) - 1, 64),
            maximum=policy.backoff_max,
            full_jitter=jitter,
        )
    )
