"""An email adapter whose provider takes time and no CPU: what is left is ours."""

from __future__ import annotations

import time

from notifications.channels.base import Accepted, ChannelAdapter, Message


class IdleEmail(ChannelAdapter):
    """Takes every mail after so many `seconds`."""

    provider = "idle"

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds

    def send(self, message: Message) -> Accepted:
        time.sleep(self._seconds)
        return Accepted(message.tag)
