"""The in-memory twin of every channel: for tests, without a provider or a network."""

from __future__ import annotations

import threading
from collections import defaultdict
from typing import Any, ClassVar
from uuid import uuid4

from notifications.channels.answers import invalid_address
from notifications.channels.base import Accepted, ChannelAdapter, Message
from notifications.channels.script import Behaviour, Script, Step
from notifications.exceptions import (
    Elsewhere,
    OutcomeUnknown,
    PermanentError,
    ProviderPaused,
    TransientError,
)


class MemoryChannel(ChannelAdapter):
    """Keeps what it is given in one outbox per channel, and fails as scripted.

    Outboxes and script belong to the class: whoever tests need not get at the adapter.
    No time passes here: `delay` accepts at once, `hang` is unknown at once.
    """

    provider = "memory"

    _outboxes: ClassVar[defaultdict[str, list[Message]]] = defaultdict(list)
    _script: ClassVar[Script] = Script()
    _lock: ClassVar[threading.Lock] = threading.Lock()

    def __init__(self, channel: str = "memory") -> None:
        self.channel = channel

    @classmethod
    def outbox(cls, channel: str = "memory") -> list[Message]:
        """What the channel accepted so far, oldest first (a copy)."""
        with cls._lock:
            return list(cls._outboxes[channel])

    @classmethod
    def script(
        cls,
        channel: str,
        behaviour: str,
        *,
        address: str | None = None,
        times: int | None = None,
        **arguments: Any,
    ) -> None:
        """What becomes of the next sends, in the words of `notifications.channels.script`.

        `refuse` with the code "provider_paused" refuses the account, "elsewhere" the message as
        none of this provider's, any other the message.
        """
        cls._script.add(channel, Step.of(behaviour, **arguments), address=address, times=times)

    @classmethod
    def reset(cls) -> None:
        """Empty every outbox and forget the script."""
        cls._script.clear()
        with cls._lock:
            cls._outboxes.clear()

    def check_address(self, address: str) -> None:
        if not address.strip():
            raise invalid_address("The address is empty.")

    def send(self, message: Message) -> Accepted:
        self.check_address(message.address)
        step = self._script.next(self.channel, message.address)
        _refuse(step)
        with self._lock:
            self._outboxes[self.channel].append(message)
        if step.behaviour is Behaviour.ACCEPT_THEN_DROP:
            raise OutcomeUnknown("Scripted.", "connection_lost")
        return Accepted(str(uuid4()))


def _refuse(step: Step) -> None:
    match step.behaviour:
        case Behaviour.THROTTLE:
            raise TransientError("Scripted.", "throttled", step.retry_after)
        case Behaviour.SERVER_ERROR:
            raise TransientError("Scripted.", f"http_{step.status}", step.retry_after)
        case Behaviour.REFUSE if step.code == ProviderPaused.default_code:
            raise ProviderPaused("Scripted.")
        case Behaviour.REFUSE:
            error = PermanentError("Scripted.", step.code)
            error.elsewhere = step.code == Elsewhere.default_code
            raise error
        case Behaviour.HANG:
            raise OutcomeUnknown("Scripted.", "read_timeout")
        case Behaviour.HANG_UP:
            raise OutcomeUnknown("Scripted.", "connection_lost")
