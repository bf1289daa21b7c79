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
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice

from django.db import router

from notifications.connection_pool import lend_connection
from notifications.exceptions import Busy
from notifications.group_commit import GroupCommit
from notifications.models import RateLimit
from notifications.rate_limits import LONGEST_LATE, valid_for

LONGEST_WAIT = 10.0
"""Seconds that a send waits for the last of its units, once it has its first: one of more units
than the account is given in this time would outlive its lease. It leaves early, its units paid
for: those that come after it wait the longer."""

LONGEST_SLEEP = 5.0
"""Seconds for which a message sleeps that found no turn. Then it lies in its queue, visible, where
it is received once there is one; and a limit that is raised meanwhile reaches it."""

TRIES = 5
"""Turns that a send may miss, each because its thread did not get to run in time."""

OLDEST = 1.0
"""Seconds after which a limit that this process knows is read again."""


class Turn(float):
    """One of those bought for a consumer of several accounts; `account`: whose it is."""

    __slots__ = ("account",)
    account: str

    def __new__(cls, start: float, account: str) -> Turn:
        turn = super().__new__(cls, start)
        turn.account = account
        return turn


def whose(turn: float | None) -> str:
    """The account, where a consumer has several; empty where that goes without saying."""
    return turn.account if isinstance(turn, Turn) else ""


def deposit(account: str, turns: Iterable[float]) -> None:
    """These were bought for the account: monotonic seconds at which each starts."""
    _purse.put(account, turns)


def draw(account: str, most: int, *, late: float) -> tuple[float, ...]:
    """Up to `most` turns that nobody has taken, the earliest first. Those that are more than `late`
    seconds late are void."""
    return tuple(_purse.draw(account, most, late=late))


def wait(
    account: str,
    weight: int,
    *,
    declared: float | None,
    horizon: float,
    own: float | None = None,
    check: Callable[[], None] = lambda: None,
) -> None:
    """Return when a send of `weight` units may start.

    horizon: seconds ahead at which it may get its first unit; Busy is raised beyond.
    check: asked when the moment has come, as it may take its time, and raise.
    own: the turn that came with its message. It goes first, before an earlier one that somebody
    left over: else one such turn, always the earliest, would make each send a little late.
    """
    rate = _limits.effective(account, declared)
    if rate is None or weight < 1:
        check()
        return
    late = valid_for(rate)
    for _ in range(TRIES):
        start = _turn(account, weight, declared=declared, horizon=horizon, own=own, late=late)
        own = None
        lend_connection()
        if (ahead := start - time.monotonic()) > 0:  # sleeping for nothing yields to everybody
            time.sleep(min(ahead, LONGEST_WAIT))
        check()
        if time.monotonic() - start <= late:
            return
    raise Busy(f"this process is too slow for the turns of account {account}")


def _turn(
    account: str,
    weight: int,
    *,
    declared: float | None,
    horizon: float,
    own: float | None,
    late: float,
) -> float:
    """When the last of so many units starts, of which some may have been bought before."""
    mine = [] if own is None or own <= time.monotonic() - late else [own]
    turns = [*mine, *draw(account, weight - len(mine), late=late)]
    try:
        bought = _buy(account, weight - len(turns), declared=declared, horizon=horizon)
    except BaseException:
        _purse.put(account, turns)
        raise
    return max([*turns, *bought], default=time.monotonic())  # none: the limit was just lifted


@dataclass(frozen=True, eq=False, slots=True)
class _Wish:
    """The units that one send lacks; their first is to start within `horizon` seconds."""

    account: str
    units: int
    declared: float | None
    horizon: float

    def may_go_with(self, other: _Wish) -> bool:
        """Whether one grant can be for both: of several units, each send has all or none."""
        return self is other or (
            self.units == other.units == 1
            and (self.account, self.declared, self.horizon)
            == (other.account, other.declared, other.horizon)
        )


@dataclass(frozen=True, slots=True)
class _Bought:
    """Monotonic starts of all units of a wish; or none, and when to ask again."""

    starts: tuple[float, ...]
    wait: float = 0.0
    unlimited: bool = False


def _buy(account: str, units: int, *, declared: float | None, horizon: float) -> tuple[float, ...]:
    if not units:
        return ()
    wish = _Wish(account, units, declared, horizon)
    bought = _purchases.write(wish, using=router.db_for_write(RateLimit))
    if not bought.starts and not bought.unlimited:
        # Not all at once: those who wait share what there is then.
        seconds = min(bought.wait, LONGEST_SLEEP) + random.uniform(0.0, 1.0)  # noqa: S311
        raise Busy(f"the rate of account {account} is used up", seconds=seconds)
    return bought.starts


def _buy_together(wishes: Sequence[_Wish], /, *, using: str) -> Mapping[Hashable, _Bought]:
    """In one grant, for the first and those who may go with it; the others come again."""
    first = wishes[0]
    together = [wish for wish in wishes if wish.may_go_with(first)]
    units = sum(wish.units for wish in together)
    grant = RateLimit.objects.using(using).grant(
        first.account,
        first.declared,
        most=units,
        horizon=first.horizon,
        whole=len(together) == 1,
    )
    now = time.monotonic()  # after the statement: a turn may come late, but never early
    if grant is None:
        return dict.fromkeys(together, _Bought((), unlimited=True))
    starts = iter([now + start for start in grant.starts])
    return {wish: _Bought(tuple(islice(starts, wish.units)), grant.wait) for wish in together}


_purchases: GroupCommit[_Wish, _Bought] = GroupCommit(_buy_together, key=lambda wish: wish)
"""A turn that was bought before its message was received is void by the time a full pool gets
to it. Where the limit is far above what this process sends, that is nearly every turn."""


class _Purse:
    """The turns of this process that no send has taken yet."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._turns: defaultdict[str, list[float]] = defaultdict(list)

    def put(self, account: str, turns: Iterable[float]) -> None:
        oldest = time.monotonic() - LONGEST_LATE  # what nobody will take must not pile up
        with self._lock:
            together = [*self._turns[account], *turns]
            self._turns[account] = sorted(turn for turn in together if turn > oldest)

    def draw(self, account: str, most: int, *, late: float) -> list[float]:
        """The earliest, up to `most`. Those that are more than `late` seconds late are void."""
        with self._lock:
            turns = self._turns[account]
            first = bisect_right(turns, time.monotonic() - late)
            usable = turns[first : first + most]
            self._turns[account] = turns[:first] + turns[first + most :]
            return usable


class _Limits:
    """What operators have set, as this process knows it, a second old at most."""

    def __init__(self) -> None:
        self._reading = threading.Lock()
        self._overrides: dict[str, tuple[float | None, float]] = {}

    def effective(self, account: str, declared: float | None) -> float | None:
        """Units a second; None is no limit.

        One thread reads, the others go on with what is known: only the first is waited for.
        """
        if self._is_old(account) and self._reading.acquire(blocking=account not in self._overrides):
            try:
                if self._is_old(account):
                    override = RateLimit.objects.override_of(account)
                    self._overrides[account] = override, time.monotonic()
            finally:
                self._reading.release()
        override, _ = self._overrides[account]
        rate = declared if override is None else override
        return None if rate == math.inf else rate

    def _is_old(self, account: str) -> bool:
        _, read_at = self._overrides.get(account, (None, -math.inf))
        return time.monotonic() > read_at + OLDEST


_purse, _limits = _Purse(), _Limits()


def _start_anew_in_child() -> None:
    """A forked child has no message of its parent's, nor the thread that may hold the lock."""
    global _purse, _limits
    _purse, _limits = _Purse(), _Limits()


os.register_at_fork(after_in_child=_start_anew_in_child)
