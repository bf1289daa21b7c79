"""ProviderAccount: what holds back the deliveries of one message in a worker."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

from notifications import breakers, consumers, providers, rate_limits, switches
from notifications.accounts import UNLIMITED, Account
from notifications.consumers import Consumer
from notifications.exceptions import Busy, NotificationError
from notifications.models import Breaker
from notifications.providers import Provider
from notifications.worker import turns

HORIZON, BULK_HORIZON = 2.0, 0.25
"""Seconds that a send, or the one message of an idle queue's long poll, waits for its turn in
this worker; beyond, it sleeps in SQS. What came from a bulk queue reserves less far ahead: a
fresh message is not to wait behind it."""

SOON = 0.25
"""Seconds for which a turn of one of several providers is waited for while another might have one
at once: not longer than turns are bought ahead, lest a saturated one be always waited for."""

HELD_FOR = 1.0
"""Seconds at most for which a message sleeps whose queue is paused, or whose account is left
alone: then it lies in its queue, where nobody receives it, and is there when that is over."""


@contextmanager
def account_of(task: Any) -> Iterator[Account]:
    """The account of the message that `task` runs on, for as long as it does. A task that was
    called by hand, with no message and so no headers, has none that would hold it back."""
    headers = task.request.headers
    if not headers:
        yield UNLIMITED
        return
    consumer = consumers.get(headers["consumer"])
    several = providers.of_consumer(consumer)
    account: ProviderAccount | SeveralAccounts
    account = SeveralAccounts(task, headers) if several else ProviderAccount(task, headers)
    try:
        yield account
    finally:
        account.close()


class ProviderAccount:
    """Made for each run of a consumer's task; `headers` are those of `translation.task_message`."""

    def __init__(self, task: Any, headers: dict[str, Any]) -> None:
        self._consumer: Consumer = consumers.get(headers["consumer"])
        self._queue: str = headers["queue"]
        self._declared = rate_limits.parse(task.rate_limit)
        self._probe = bool(headers.get("probe"))
        self._asked_at = 0.0
        self._turn: float | None = headers.get("turn")

    @property
    def name(self) -> str:
        return self._consumer.account_name

    def of(self, provider: Provider) -> Account:
        return self

    @property
    def is_bulk(self) -> bool:
        """Whether the message came from the consumer's bulk queue."""
        return self._queue != self._consumer.name

    def check(self) -> None:
        """Raises Busy while the queue is paused, or the account's breaker is open. The message
        of its probe may pass, once."""
        current = switches.look()
        if why := current.pause_of(self._queue, self._consumer):
            raise Busy(why, "paused", HELD_FOR)
        seconds = 0.0 if self._probe else current.breaker_seconds(self.name)
        if seconds:
            raise Busy(current.breaker_of(self.name), "left_alone", min(seconds, HELD_FOR))

    def wait_turn(self, weight: int, *, soon: bool = False) -> None:
        """Return when a send of `weight` units may start. Raises Busy if that is too far ahead, or
        if it may not be sent any more by then."""
        own, self._turn = self._turn, None
        turns.wait(
            self.name,
            weight,
            declared=self._declared,
            horizon=BULK_HORIZON if self.is_bulk else HORIZON,
            own=own,
            check=self.check,
        )
        self._asked_at = time.monotonic()

    def report(self, error: NotificationError | None) -> None:
        """What the provider answered goes on the account's breaker."""
        self._probe = False
        breakers.report(self.name, error, took=time.monotonic() - self._asked_at)

    def close(self) -> None:
        """The run is over. What it did not use is another's: its turn, and, of a probe that asked
        no provider, the probe."""
        self._lay_down_turn()
        if self._probe:
            breakers.leave_probe(self.name)

    def _lay_down_turn(self) -> None:
        """Not before it is needed: who polls for the next message may take it up."""
        if self._turn is not None:
            turns.deposit(self.name, [self._turn])
            self._turn = None


class SeveralAccounts:
    """The accounts of a channel with several providers, made for each run of its task. Which of
    them a delivery goes by is `notifications.failover`'s to say."""

    def __init__(self, task: Any, headers: dict[str, Any]) -> None:
        self._consumer: Consumer = consumers.get(headers["consumer"])
        self._queue: str = headers["queue"]
        several = providers.of_consumer(self._consumer)
        horizon = BULK_HORIZON if self._queue != self._consumer.name else HORIZON
        self._parts = {
            each.account: _Part(
                self, each.account, rate_limits.declared(self._consumer, each), horizon
            )
            for each in several
        }
        self._turn: float | None = headers.get("turn")
        self._turn_of: str = headers.get("account", "")

    def check(self) -> None:
        """Raises Busy while the queue is paused, or every account is left alone and none is due
        to be probed."""
        self.check_pause()
        waits = [part.left_alone_for() for part in self._parts.values()]
        if waits and all(waits):
            raise _left_alone(next(iter(self._parts)), min(waits))

    def check_pause(self) -> None:
        if why := switches.look().pause_of(self._queue, self._consumer):
            raise Busy(why, "paused", HELD_FOR)

    def of(self, provider: Provider) -> Account:
        return self._parts[provider.account]

    def wait_turn(self, weight: int, *, soon: bool = False) -> None:
        """None of several is chosen: there is nobody to wait for."""

    def report(self, error: NotificationError | None) -> None:
        """None of several was asked."""

    def take_turn(self, account: str) -> float | None:
        """The turn that came with the message, if it is this account's."""
        if self._turn_of != account:
            return None
        own, self._turn = self._turn, None
        return own

    def lay_down_turn(self) -> None:
        """It is another account's than the one that is asked: whoever sends by that may have it."""
        if self._turn is not None:
            turns.deposit(self._turn_of, [self._turn])
            self._turn = None

    def lease(self) -> timedelta:
        """How long a probe is one message's alone: until its run is over."""
        return timedelta(seconds=self._consumer.max_seconds)

    def close(self) -> None:
        """The run is over. What it did not use is another's."""
        self.lay_down_turn()
        for part in self._parts.values():
            part.leave_probe()


class _Part:
    """One of the several. Its breaker's probe is whatever message prefers it when that is due."""

    def __init__(
        self, together: SeveralAccounts, name: str, declared: float | None, horizon: float
    ) -> None:
        self._together = together
        self._name = name
        self._declared = declared
        self._horizon = horizon
        self._probe = False
        self._asked_at = 0.0

    def left_alone_for(self) -> float:
        """Seconds; 0 when it may be asked, if only by a probe."""
        current = switches.look()
        if self._probe or current.probe_is_due(self._name):
            return 0.0
        return current.breaker_seconds(self._name)

    def check(self) -> None:
        """Raises Busy while its breaker is open, unless this message gets to probe."""
        current = switches.look()
        seconds = 0.0 if self._probe else current.breaker_seconds(self._name)
        if not seconds:
            return
        if not current.probe_is_due(self._name):
            raise _left_alone(self._name, seconds)
        self._probe = Breaker.objects.try_probe(self._name, self._together.lease())
        if not self._probe:
            raise _left_alone(self._name, seconds)

    def of(self, provider: Provider) -> Account:
        return self

    def wait_turn(self, weight: int, *, soon: bool = False) -> None:
        try:
            turns.wait(
                self._name,
                weight,
                declared=self._declared,
                horizon=min(self._horizon, SOON) if soon else self._horizon,
                own=self._together.take_turn(self._name),
                check=self._check_again,
            )
        except BaseException:
            self.leave_probe()
            raise
        self._together.lay_down_turn()
        self._asked_at = time.monotonic()

    def report(self, error: NotificationError | None) -> None:
        self._probe = False
        breakers.report(self._name, error, took=time.monotonic() - self._asked_at)

    def leave_probe(self) -> None:
        if self._probe:
            self._probe = False
            breakers.leave_probe(self._name)

    def _check_again(self) -> None:
        """When the turn has come: it may have been paused, or opened, meanwhile."""
        self._together.check_pause()
        self.check()


def _left_alone(account: str, seconds: float) -> Busy:
    why = switches.look().breaker_of(account)
    return Busy(why, "left_alone", min(seconds, HELD_FOR))


@contextmanager
def admitted(task: Any) -> Iterator[None]:
    """The work of a service consumer, whose message first waits for its turn, as each delivery of a
    channel does for itself. Raises Busy when that is too far ahead, or the queue is paused.

    A probe is this message's until its work is over: what its provider answers goes on the breaker
    (`notifications.breakers`) as the probe's answer, by which the back-off grows.
    """
    account = ProviderAccount(task, task.request.headers)
    try:
        account.check()
        account.wait_turn(1)
        yield
    finally:
        account.close()
