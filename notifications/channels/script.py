"""What a provider that is not the real one does with a send: a script, per channel and address.

The in-memory channel and the provider sandbox play from the same script, so a test says
the same words to both.
"""

from __future__ import annotations

import threading
from collections import defaultdict
from dataclasses import dataclass
from email.utils import parseaddr
from enum import StrEnum
from typing import Any


class Behaviour(StrEnum):
    """Everything that a provider can do to us."""

    ACCEPT = "accept"
    DELAY = "delay"
    """Accept after `seconds`."""
    THROTTLE = "throttle"
    """Refuse for being too fast, naming `retry_after` seconds where given."""
    SERVER_ERROR = "server_error"
    """Fail with HTTP `status` (500 unless given), naming `retry_after` seconds where given."""
    REFUSE = "refuse"
    """Refuse with the provider's own `code`, and its `message` where that matters. `http_504` is a
    bare status of something before the provider."""
    HANG_UP = "hang_up"
    """Close the connection instead of answering; nothing is accepted."""
    HANG = "hang"
    """Never answer; nothing is accepted."""
    ACCEPT_THEN_DROP = "accept_then_drop"
    """Accept, then close the connection instead of saying so."""


_ARGUMENTS: dict[Behaviour, tuple[frozenset[str], frozenset[str]]] = {
    # behaviour: (needed, allowed besides)
    Behaviour.ACCEPT: (frozenset(), frozenset({"expires_in"})),
    Behaviour.DELAY: (frozenset({"seconds"}), frozenset()),
    Behaviour.THROTTLE: (frozenset(), frozenset({"retry_after"})),
    Behaviour.SERVER_ERROR: (frozenset(), frozenset({"status", "retry_after"})),
    Behaviour.REFUSE: (frozenset({"code"}), frozenset({"message"})),
}


@dataclass(frozen=True)
class Step:
    """One behaviour with its arguments (`expires_in`: seconds an access token is given for)."""

    behaviour: Behaviour = Behaviour.ACCEPT
    seconds: float = 0.0
    retry_after: float | None = None
    status: int = 500
    code: str = ""
    message: str = ""
    expires_in: float | None = None

    @classmethod
    def of(cls, behaviour: str, **arguments: Any) -> Step:
        """Raises ValueError naming the behaviour or argument that does not exist or is missing."""
        try:
            chosen = Behaviour(behaviour)
        except ValueError:
            raise ValueError(
                f"No behaviour is named {behaviour!r}; there are: {', '.join(Behaviour)}."
            ) from None
        needed, allowed = _ARGUMENTS.get(chosen, (frozenset(), frozenset()))
        if missing := sorted(needed - set(arguments)):
            raise ValueError(f"{chosen} needs {', '.join(missing)}.")
        if unknown := sorted(set(arguments) - needed - allowed):
            raise ValueError(f"{chosen} does not take {', '.join(unknown)}.")
        return cls(behaviour=chosen, **arguments)


@dataclass
class _Entry:
    step: Step
    left: int | None  # None: for good


class Script:
    """What comes next, per channel and address. Safe to use from many threads.

    Entries for an address come before those for its whole channel; within one of these
    they are played in the order they were added, each `times` times. One without `times`
    stands until another is added for the same address or channel. After them: accept.
    """

    def __init__(self) -> None:
        self._entries: defaultdict[tuple[str, str], list[_Entry]] = defaultdict(list)
        self._lock = threading.Lock()

    def add(
        self, channel: str, step: Step, *, address: str | None = None, times: int | None = None
    ) -> None:
        with self._lock:
            entries = self._entries[channel, same(address or "")]
            if entries and entries[-1].left is None:
                entries.pop()
            entries.append(_Entry(step, times))

    def next(self, channel: str, address: str, sender: str = "") -> Step:
        """The step to play now, which it takes off the script: one for that address, or for whoever
        sends (the name in front of an email address is none of it), or for anybody."""
        if not self._entries:
            return Step()
        with self._lock:
            named = dict.fromkeys((same(address), same(parseaddr(sender)[1] or sender), ""))
            return next(filter(None, (self._take((channel, name)) for name in named)), Step())

    def forget(self, channel: str) -> None:
        """What is still to come for the channel and its addresses; from now on it accepts."""
        with self._lock:
            for key in [key for key in self._entries if key[0] == channel]:
                del self._entries[key]

    def clear(self) -> None:
        with self._lock:
            self._entries.clear()

    def _take(self, key: tuple[str, str]) -> Step | None:
        entries = self._entries.get(key)
        while entries:
            entry = entries[0]
            if entry.left is None:
                return entry.step
            if entry.left > 0:
                entry.left -= 1
                return entry.step
            entries.pop(0)
        return None


def same(address: str) -> str:
    """An address as it is compared: case and surrounding white space make no difference."""
    return address.strip().casefold()
