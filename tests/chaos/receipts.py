"""What the providers say later of what they took, by the address that it went to."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from random import Random

from notifications.local.providers.client import SandboxClient
from orders_site.demo.manifest import Call

WITHHELD, REPEATED = 0.25, 0.25
"""The shares of addresses of which the providers say nothing; and of which they say it twice, the
last word first."""
NOTHING: Sequence[str] = ()
OUT_OF_ORDER: Sequence[str] = ("delivered", "accepted", "delivered")
SPOKEN_OF = frozenset({"email", "sms", "whatsapp"})
"""The channels whose providers say anything later; FCM says nothing."""


def script(sandbox: SandboxClient, addresses: Iterable[tuple[str, str]], *, seed: int) -> None:
    """Have it so. addresses: (channel, address)."""
    for channel, address in sorted(set(addresses)):
        kinds = _said_of(address, seed)
        if kinds is not None and channel in SPOKEN_OF:
            sandbox.script_receipts(channel, kinds, address=address)


def withheld(call: Call, *, seed: int) -> bool:
    """Whether nothing is said of the message that answers this call."""
    return call.channel not in SPOKEN_OF or _said_of(call.address, seed) == NOTHING


def _said_of(address: str, seed: int) -> Sequence[str] | None:
    """Instead of the usual; None for the usual."""
    fate = Random(f"receipts of {address} in {seed}").random()
    if fate < WITHHELD:
        return NOTHING
    return OUT_OF_ORDER if fate < WITHHELD + REPEATED else None
