"""Turns: when this process may send through a limited account.

A turn is one unit of the account's limit and the moment from which it may be sent. Most are
bought before their message is received (`notifications.worker.gate`), and travel with it; here
they lie in a purse for each account, until a send takes the earliest. So the turn of a message
that turns out to be done already is the next one's. What is lacking is bought now.
"""

from __future__ import annotations

import math
import os
import random
import threading
import time
from collections import defaultdict
from collections.abc import Iterable

from notifications.connection_pool import lend_connection
from notifications.exceptions import Busy
from notifications.models import RateLimit
from notifications.rate_limits import valid_for

LONGEST_WAIT = 10.0
"""Seconds that a send waits for the last of its units, once it has its first: one of more units
than the account is given in this time would outlive its lease."""

OLDEST = 1.0
"""Seconds after which a limit that this process knows is read again."""


def deposit(account: str, turns: Iterable[float]) -> None:
    """These were bought for the account: monotonic seconds at which each starts."""
    _purse.put(account, turns)


def draw(account: str, most: int, *, late: float) -> tuple[float, ...]:
    """Up to `most` turns that nobody has taken, the earliest first. Those that are more than `late`
    seconds late are void."""
    return tuple(_purse.draw(account, most, late=late))


def wait(account: str, weight: int, *, declared: float | None, horizon: float) -> None:
    """Return when a send of `weight` units may start.

    horizon: seconds ahead at which it may get its first unit; Busy is raised beyond.
    """
    rate = _limits.effective(account, declared)
    if rate is None or weight < 1:
        return
    turns = draw(account, weight, late=valid_for(rate))
    try:
        bought = _buy(account, weight - len(turns), declared=declared, horizon=horizon)
    except BaseException:
        _purse.put(account, turns)
        raise
    lend_connection()
    starts = max([*turns, *bought], default=0.0)
    time.sleep(min(max(starts - time.monotonic(), 0.0), LONGEST_WAIT))


def _buy(account: str, units: int, *, declared: float | None, horizon: float) -> tuple[float, ...]:
    if not units:
        return ()
    grant = RateLimit.objects.grant(account, declared, most=units, horizon=horizon, whole=True)
    now = time.monotonic()  # after the statement: a turn may come late, but never early
    if grant is None:
        return ()
    if not grant.starts:
        # Not all at once: those who wait share what there is then.
        seconds = grant.wait + random.uniform(0.0, 1.0)  # noqa: S311 - spreads load
        raise Busy(f"the rate of account {account} is used up", seconds=seconds)
    return tuple(now + start for start in grant.starts)


class _Purse:
    """The turns of this process that no send has taken yet."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._turns: defaultdict[str, list[float]] = defaultdict(list)

    def put(self, account: str, turns: Iterable[float]) -> None:
        with self._lock:
            self._turns[account] = sorted([*self._turns[account], *turns])

    def draw(self, account: str, most: int, *, late: float) -> list[float]:
        """The earliest, up to `most`. Those that are more than `late` seconds late are void."""
        with self._lock:
            since = time.monotonic() - late
            valid = [turn for turn in self._turns[account] if turn > since]
            self._turns[account] = valid[most:]
            return valid[:most]


class _Limits:
    """The limits as this process knows them, a second old at most."""

    def __init__(self) -> None:
        self._known: dict[str, tuple[float | None, float]] = {}

    def effective(self, account: str, declared: float | None) -> float | None:
        """Units a second; None is no limit."""
        override, read_at = self._known.get(account, (None, -math.inf))
        if time.monotonic() > read_at + OLDEST:
            override = RateLimit.objects.override_of(account)
            self._known[account] = override, time.monotonic()
        rate = declared if override is None else override
        return None if rate == math.inf else rate


_purse, _limits = _Purse(), _Limits()


def _start_anew_in_child() -> None:
    """A forked child has no message of its parent's, nor the thread that may hold the lock."""
    global _purse, _limits
    _purse, _limits = _Purse(), _Limits()


os.register_at_fork(after_in_child=_start_anew_in_child)
