"""How many requests a client may make, over all web processes.

The bucket is a row (`Allowance`). Asking it for each request would cost every order a statement and
have the requests of one client wait for its row lock; so a process takes a tenth of a second's
worth at a time, and what it has not spent within a second is void. Over a second the processes
together let through the client's rate, and what each held from the second before.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from orders_site.api.exceptions import Problem
from orders_site.api.models import Allowance, ApiClient

BURST_SECONDS = 10.0
"""A rested client may ask for so many seconds' worth at once."""
SHARE_SECONDS = 0.1
VOID_AFTER = 1.0
LONGEST_REFUSAL = 1.0
"""Seconds for which a process refuses without asking again: other processes may have spent less,
and an operator may have raised the rate."""


@dataclass
class Purse:
    """What this process holds of one client's rate. Times are monotonic seconds."""

    requests: int = 0
    void_at: float = 0.0
    refused_until: float = 0.0
    next_at: float = 0.0


class Throttle:
    """The purses of this process."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._purses: dict[str, Purse] = {}

    def admit(self, client: ApiClient) -> None:
        """Spend one request. Raises Problem 429, saying when the next one will be let through."""
        with self._lock:
            purse = self._purses.setdefault(client.name, Purse())
            now = self._clock()
            if now < purse.refused_until:
                raise _too_many(client, purse.next_at - now)
            if purse.requests and now < purse.void_at:
                purse.requests -= 1
                return
        self._fill(client, purse)

    def _fill(self, client: ApiClient, purse: Purse) -> None:
        """One statement, outside the lock: who waits for a row must not stop other clients."""
        rate = client.rate_per_minute / 60
        granted, left_over = Allowance.objects.take(
            client.name,
            most=max(1, math.floor(rate * SHARE_SECONDS)),
            rate=rate,
            burst=max(1.0, rate * BURST_SECONDS),
        )
        with self._lock:
            now = self._clock()
            if not granted:
                purse.next_at = now + (1 - left_over) / rate
                purse.refused_until = min(purse.next_at, now + LONGEST_REFUSAL)
                raise _too_many(client, purse.next_at - now)
            left = purse.requests if now < purse.void_at else 0
            purse.requests = left + granted - 1
            purse.void_at = now + VOID_AFTER


def _too_many(client: ApiClient, seconds: float) -> Problem:
    return Problem(
        429,
        "too_many_requests",
        f"{client.name} may make {client.rate_per_minute} requests a minute.",
        headers={"Retry-After": str(max(1, math.ceil(seconds)))},
    )


throttle = Throttle()
