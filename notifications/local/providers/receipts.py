"""What the sandbox says later of the messages it took: published to SNS, where providers do.

Off until it is told where to. A receipt follows every message that was accepted, also one whose
answer was withheld: that is what receipts are for.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass

import aiohttp

from notifications.channels.script import same
from notifications.local.providers.receipt_forms import FORMS, Taken

USUAL = ("accepted", "delivered")
DELAY = 0.1
"""Seconds after the message was taken: no provider is quicker than its own answer, mostly."""

TRIES, BETWEEN = 120, 0.5
"""Of one receipt, and seconds between them: as long as SNS may take to come back from a restart."""

# Emulators read the region from the signature and do not look at the rest.
_SIGNED = {
    "Authorization": "AWS4-HMAC-SHA256 Credential=local/20260101/us-east-1/sns/aws4_request, "
    "SignedHeaders=host, Signature=none"
}


@dataclass(frozen=True)
class Place:
    """Where receipts go: the endpoint of an SNS, and the topic's ARN."""

    endpoint: str
    topic: str


class Receipts:
    """Everything runs on the server's event loop, one receipt after the other."""

    def __init__(self) -> None:
        self._place: Place | None = None
        self._kinds: dict[tuple[str, str], tuple[str, ...]] = {}
        self._waiting: asyncio.Queue[tuple[float, str]] = asyncio.Queue()
        self._publisher: asyncio.Task[None] | None = None

    def send_to(self, place: Place) -> None:
        """From now on."""
        self._place = place

    def script(self, channel: str, kinds: Sequence[str], *, address: str = "") -> None:
        """What is said of the channel's messages (to `address`) from now on, in this order.

        Raises ValueError for what this provider never says.
        """
        known = FORMS[channel][1] if channel in FORMS else frozenset()
        if unknown := sorted(set(kinds) - known):
            raise ValueError(
                f"No receipt of {channel} says {', '.join(unknown)}; "
                f"there are: {', '.join(sorted(known)) or 'none'}."
            )
        self._kinds[channel, same(address)] = tuple(kinds)

    def clear(self) -> None:
        """Say nothing more, as at the start."""
        self._place = None
        self._kinds.clear()
        self._waiting = asyncio.Queue()
        if self._publisher is not None:
            self._publisher.cancel()
            self._publisher = None

    def after(self, channel: str, taken: Taken) -> None:
        """A message was taken: say of it what is to be said."""
        if self._place is None or channel not in FORMS:
            return
        form = FORMS[channel][0]
        due = asyncio.get_running_loop().time() + DELAY
        for kind in self._planned(channel, taken.incoming.addresses[0]):
            self._waiting.put_nowait((due, json.dumps(form(taken, kind))))
        if self._publisher is None:
            self._publisher = asyncio.create_task(self._publish_all(self._place))

    def _planned(self, channel: str, address: str) -> tuple[str, ...]:
        for key in ((channel, same(address)), (channel, "")):
            if key in self._kinds:
                return self._kinds[key]
        return USUAL

    async def _publish_all(self, place: Place) -> None:
        loop, waiting = asyncio.get_running_loop(), self._waiting
        async with aiohttp.ClientSession(trust_env=False) as session:
            while True:
                due, body = await waiting.get()
                await asyncio.sleep(due - loop.time())
                await _publish(session, place, body)


async def _publish(session: aiohttp.ClientSession, place: Place, body: str) -> None:
    asked = {
        "Action": "Publish",
        "Version": "2010-03-31",
        "TopicArn": place.topic,
        "Message": body,
    }
    status = 0
    for _ in range(TRIES):
        with contextlib.suppress(aiohttp.ClientError):
            async with session.post(place.endpoint, data=asked, headers=_SIGNED) as answer:
                status = answer.status
                if answer.ok:
                    return
        await asyncio.sleep(BETWEEN)
    print(f"A receipt was not published to {place.topic}: status {status}", file=sys.stderr)
