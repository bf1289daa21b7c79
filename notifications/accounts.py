"""Account: the provider account that a delivery is sent through, and what holds it back."""

from __future__ import annotations

from typing import Protocol

from notifications.exceptions import NotificationError
from notifications.providers import Provider


class Account(Protocol):
    """What `deliver` asks of the account. Neither question costs an attempt."""

    def check(self) -> None:
        """Raises Busy(seconds) while the account is to be left alone. Asked before the claim."""

    def of(self, provider: Provider) -> Account:
        """That of one of a channel's several providers."""

    def wait_turn(self, weight: int, *, soon: bool = False) -> None:
        """Return when a send of `weight` units may start. Raises Busy(seconds) when that is
        further away than a pool's thread should wait. soon: or than it is worth, where another
        provider may have a turn at once."""

    def report(self, error: NotificationError | None) -> None:
        """What the provider answered; None is that it took the message."""


class Unlimited:
    """An account that nothing holds back: outside a worker, and in a shop's own tests."""

    def check(self) -> None:
        pass

    def of(self, provider: Provider) -> Account:
        return self

    def wait_turn(self, weight: int, *, soon: bool = False) -> None:
        pass

    def report(self, error: NotificationError | None) -> None:
        pass


UNLIMITED = Unlimited()
