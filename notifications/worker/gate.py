"""Gate: whether a queue may be polled now, and for how many messages.

Asked in a polling thread before each receive, and again with what the receive brought. It
knows pauses, breakers and rates; when to ask is the poller's. What may not be sent is not
received: it stays in SQS, visible, no older and no attempt poorer.
"""

from __future__ import annotations

import random
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta

from django.db import connection

from notifications import consumers, providers, rate_limits, switches
from notifications.consumers import Consumer
from notifications.models import Breaker, RateLimit
from notifications.providers import Provider
from notifications.switches import Switches
from notifications.worker import broker, shares
from notifications.worker.account import BULK_HORIZON, HORIZON
from notifications.worker.database import UNAVAILABLE
from notifications.worker.permit import Permit, Refusal
from notifications.worker.queues import PolledQueue
from notifications.worker.turns import deposit, draw, whose

AHEAD, BULK_AHEAD = 0.4, 0.1
"""Seconds for which a poll buys turns ahead: enough for a receive and the way to a thread. A
bulk queue's reach less far: while fresh messages keep the account busy it finds none."""

LOOK_AGAIN = 1.0
"""Seconds until a queue is asked for again that something holds."""

LONGEST_WAIT = 5.0
"""Seconds until a limit is asked again at the latest: it may have been changed."""

CROWD = 16
"""After so many refusals in a row a worker asks half as often: it is one of many."""

PROBE_WAIT = 2
"""Seconds of a probe's long poll."""

EMPTY_PROBE = 3.0
"""Seconds for which a queue with no message to probe with leaves the probe to the account's
others, which ask every second: an empty bulk queue would have it again and again."""

_KNOWN_UNLIMITED = 1.0
"""Seconds for which an account that has no limit is not asked again."""


@dataclass(slots=True)
class _Account:
    """What this process knows of one account by the last answer. rate: units a second."""

    rate: float | None = None
    limited: bool | None = None
    unlimited_until: float = 0.0


@dataclass(slots=True)
class _Demand:
    """How much one queue asks for. `most` doubles with each full poll, so that a queue with
    one message in it does not buy ten turns that nobody will use."""

    most: int = 1
    refusals: int = 0


class Gate:
    """wait_seconds: the long poll of an idle queue.
    on_missed: called when the database is away; it ends the polling until that is back.
    """

    def __init__(self, *, wait_seconds: int, on_missed: Callable[[], None]) -> None:
        self._wait_seconds = wait_seconds
        self._on_missed = on_missed
        self._lock = threading.Lock()
        self._accounts: defaultdict[str, _Account] = defaultdict(_Account)
        self._demands: defaultdict[str, _Demand] = defaultdict(_Demand)

    def admit(self, queue: PolledQueue, most: int, *, busy: bool) -> Permit | Refusal:
        """Whether and how to receive up to `most` messages of this queue, which is `busy` or idle.

        One statement at most, beside the switches'; none of its connections stays with the thread.
        """
        consumer = consumers.get(queue.consumer)
        try:
            return self._held(queue, consumer) or self._by_rate(queue, consumer, most, busy=busy)
        except UNAVAILABLE:
            return self._missed()
        finally:
            connection.close()

    def settle(self, queue: PolledQueue, permit: Permit, count: int) -> Sequence[float] | Refusal:
        """The receive brought `count` messages: the turns for them, or why they must go back.

        Turns that are left over are kept for the account's next poll. A receive that failed has
        brought none.
        """
        consumer = consumers.get(queue.consumer)
        try:
            return self._settled(queue, consumer, permit, count)
        except UNAVAILABLE:
            return self._missed()
        finally:
            connection.close()

    def _missed(self) -> Refusal:
        self._on_missed()
        return Refusal(LOOK_AGAIN, "the database is away")

    # Before the receive

    def _held(self, queue: PolledQueue, consumer: Consumer) -> Permit | Refusal | None:
        """What a pause or an open breaker makes of it; None when neither is there."""
        current, account = switches.look(), consumer.account_name
        if why := current.pause_of(queue.name, consumer):
            return Refusal(LOOK_AGAIN, why)
        if several := providers.of_consumer(consumer):
            return self._all_left_alone(several, current)
        why = current.breaker_of(account)
        if not why:
            return None
        if current.probe_is_due(account) and Breaker.objects.try_probe(account, _lease(consumer)):
            return Permit(1, min(PROBE_WAIT, self._wait_seconds), probe=True)
        return Refusal(LOOK_AGAIN, why)

    def _all_left_alone(
        self, several: Sequence[Provider], current: Switches
    ) -> Permit | Refusal | None:
        """None while one of them may be used. The probe of one is whatever message comes first;
        its send takes the lease (`notifications.worker.account`)."""
        whys = [current.breaker_of(each.account) for each in several]
        if not all(whys):
            return None
        for each in several:
            if current.probe_is_due(each.account) and Breaker.objects.may_probe(each.account):
                return Permit(1, min(PROBE_WAIT, self._wait_seconds), again=LOOK_AGAIN)
        return Refusal(LOOK_AGAIN, whys[0])

    def _by_rate(
        self, queue: PolledQueue, consumer: Consumer, most: int, *, busy: bool
    ) -> Permit | Refusal:
        if not busy:
            return self._for_idle(queue, consumer, most)
        demand = self._demands[queue.name]
        wanted = min(most, demand.most)
        ahead = BULK_AHEAD if queue.bulk else AHEAD
        bought = self._turns(consumer, wanted, ahead)
        if bought is None:
            return Permit(most, 0)
        turns, wait = bought
        if len(turns) == wanted:
            demand.refusals = 0
            return Permit(wanted, 0, limited=True, turns=turns)
        again = min(wait + _delay(ahead, demand.refusals), LONGEST_WAIT)
        if not turns:
            demand.refusals += 1
            return _no_turn(consumer, again)
        demand.refusals = 0
        return Permit(len(turns), 0, limited=True, turns=turns, again=again)

    def _for_idle(self, queue: PolledQueue, consumer: Consumer, most: int) -> Permit:
        """A turn is not kept over a long poll: its one message gets it when it has come."""
        self._demands[queue.name] = _Demand()
        if self._is_limited(consumer):
            return Permit(1, self._wait_seconds, limited=True)
        return Permit(most, self._wait_seconds)

    # After the receive

    def _settled(
        self, queue: PolledQueue, consumer: Consumer, permit: Permit, count: int
    ) -> Sequence[float] | Refusal:
        account = consumer.account_name
        why = self._holds_now(queue, consumer, permit) if count else ""
        if not count or why:
            self._keep(account, permit.turns)
            if permit.probe:
                Breaker.objects.release_probe(account)
                return Refusal(
                    LOOK_AGAIN if why else EMPTY_PROBE, why or "no message to probe with"
                )
            return Refusal(LOOK_AGAIN, why) if why else ()
        if permit.limited and not permit.turns:
            return self._turn_for_one(queue, consumer)
        if count == permit.most:
            demand = self._demands[queue.name]
            demand.most = min(2 * demand.most, broker.BATCH)
        self._keep(account, permit.turns[count:])
        return permit.turns[:count]

    def _holds_now(self, queue: PolledQueue, consumer: Consumer, permit: Permit) -> str:
        current = switches.look()
        if permit.probe or providers.of_consumer(consumer):
            return current.pause_of(queue.name, consumer)
        return current.holds(queue.name, consumer)

    def _turn_for_one(self, queue: PolledQueue, consumer: Consumer) -> Sequence[float] | Refusal:
        ahead = BULK_HORIZON if queue.bulk else HORIZON
        bought = self._turns(consumer, 1, ahead)
        if bought is None:
            return ()
        turns, wait = bought
        return turns or _no_turn(consumer, min(wait + _delay(ahead, 0), LONGEST_WAIT))

    # Turns

    def _turns(
        self, consumer: Consumer, most: int, ahead: float
    ) -> tuple[tuple[float, ...], float] | None:
        """Up to `most` turns, spare ones first, and the seconds until more may be had.

        None when the account has no limit. Of several accounts those are asked that are in use.
        """
        several = providers.of_consumer(consumer)
        if not several:
            return self._turns_of(consumer, None, most, ahead)
        current = switches.look()
        usable = [each for each in several if not current.breaker_of(each.account)]
        if not usable:
            return None  # one message may come, to probe
        return shares.buy(
            usable, most, lambda each, wanted: self._turns_of(consumer, each, wanted, ahead)
        )

    def _turns_of(
        self, consumer: Consumer, provider: Provider | None, most: int, ahead: float
    ) -> tuple[tuple[float, ...], float] | None:
        account = provider.account if provider else consumer.account_name
        if time.monotonic() < self._accounts[account].unlimited_until:
            return None
        spare = self._spare(account, most)
        if len(spare) == most:
            return spare, 0.0
        grant = RateLimit.objects.grant(
            account,
            rate_limits.declared(consumer, provider),
            most=most - len(spare),
            horizon=ahead,
        )
        now = time.monotonic()  # after the statement: a turn may come late, but never early
        with self._lock:
            known = self._accounts[account]
            known.limited = grant is not None
            known.rate = grant.rate if grant else None
            known.unlimited_until = 0.0 if grant else now + _KNOWN_UNLIMITED
        if grant is None:
            return None
        return (*spare, *(now + start for start in grant.starts)), grant.wait

    def _is_limited(self, consumer: Consumer) -> bool:
        """As far as is known without asking the database: each of its accounts."""
        for provider in providers.of_consumer(consumer) or (None,):
            account = provider.account if provider else consumer.account_name
            limited = self._accounts[account].limited
            if limited is None:
                limited = rate_limits.declared(consumer, provider) is not None
            if not limited:
                return False
        return True

    def _spare(self, account: str, most: int) -> tuple[float, ...]:
        """Turns that found no message, or whose message needed none, with half of their time left:
        there is a receive to be made for them."""
        rate = self._accounts[account].rate
        return draw(account, most, late=rate_limits.valid_for(rate) / 2) if rate else ()

    def _keep(self, account: str, turns: Sequence[float]) -> None:
        """Those of several accounts know whose they are."""
        for name in {whose(turn) for turn in turns}:
            deposit(name or account, [turn for turn in turns if whose(turn) == name])


def _no_turn(consumer: Consumer, seconds: float) -> Refusal:
    return Refusal(seconds, f"the rate of account {consumer.account_name} is used up", rate=True)


def _delay(ahead: float, refusals: int) -> float:
    """Seconds to wait beyond the first moment at which there is a turn to be had.

    So that there are several, and that not every worker asks in the same instant. Much less
    than a poll buys `ahead`, or a turn's time would pass before anybody asks for it.
    """
    crowd = 1 + refusals / CROWD
    return random.uniform(0.25, 0.5) * ahead * crowd  # noqa: S311 - spreads load, guards nothing


def _lease(consumer: Consumer) -> timedelta:
    """How long a probe is one worker's alone: its poll and its run."""
    return timedelta(seconds=PROBE_WAIT + broker.ANSWER_SECONDS + consumer.max_seconds)
