"""ProviderAccount: what holds back the deliveries of one message in a worker."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from notifications import breakers, consumers, rate_limits, switches
from notifications.accounts import UNLIMITED, Account
from notifications.consumers import Consumer
from notifications.exceptions import Busy, NotificationError
from notifications.worker import turns

HORIZON, BULK_HORIZON = 2.0, 0.25
"""Seconds that a send, or the one message of an idle queue's long poll, waits for its turn in
this worker; beyond, it sleeps in SQS. What came from a bulk queue reserves less far ahead: a
fresh message is not to wait behind it."""

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
    account = ProviderAccount(task, headers)
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

    def wait_turn(self, weight: int) -> None:
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


def admit(task: Any) -> None:
    """Let the message of a service consumer wait for its turn, as each delivery of a channel does
    for itself. Raises Busy when that is too far ahead, or the queue is paused."""
    account = ProviderAccount(task, task.request.headers)
    try:
        account.check()
        account.wait_turn(1)
    finally:
        account.close()
