"""Permit and refusal: the gate's two answers."""

from __future__ import annotations

from dataclasses import dataclass

_AT_ONCE = 0.2
"""Seconds within which a long poll answers when the message was there already."""


@dataclass(frozen=True, slots=True)
class Permit:
    """A receive that may be made now, of up to `most` messages.

    wait: seconds of its long poll, 0 for a short one. turns: when the units that were bought for
    it start, monotonic. again: seconds until there may be more; 0 is at once.
    probe: its message may pass the account's open breaker.
    """

    most: int
    wait: int
    limited: bool = False
    turns: tuple[float, ...] = ()
    again: float = 0.0
    probe: bool = False

    @property
    def plenty(self) -> bool:
        """Whether a second receive at the same time may find something to receive for."""
        return not self.again and (not self.limited or bool(self.turns))

    def shows_backlog(self, count: int, seconds: float) -> bool:
        """Whether a receive that brought so many, in so long, leaves more behind.

        The one message that a limited account's long poll had to wait for does not: a short poll
        after it would buy a turn for nothing.
        """
        if count < self.most or self.probe:
            return False
        return not self.limited or self.wait == 0 or seconds < _AT_ONCE


@dataclass(frozen=True, slots=True)
class Refusal:
    """No receive for so many seconds. rate: it is only a turn that is lacking."""

    seconds: float
    why: str
    rate: bool = False
