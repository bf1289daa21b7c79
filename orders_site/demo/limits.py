"""The limits of the demo's provider accounts: set, enforced by the providers, and measured.

As in `orders_site.demo.manifest`, what judges is kept apart from what is judged: the providers
themselves refuse what comes too fast, and the busiest second is counted from what they took.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime

from notifications import rate_limits
from notifications.channels.sms_parts import parts
from notifications.consumers import all_consumers
from notifications.local.providers.client import AcceptedMessage, SandboxClient

THROTTLED = "throttle"

HEAVIEST = {"sms": 3}
"""Units of the heaviest message: the longest of the shop's texts has three parts."""


@dataclass(frozen=True)
class Pace:
    """busiest: units that arrived within any one second. refused: messages that came too fast."""

    channel: str
    limit: float
    busiest: int
    refused: int

    def __str__(self) -> str:
        refused = f" ({self.refused} refused as too fast)" if self.refused else ""
        return f"{self.channel} {self.busiest} of {self.limit:g}{refused}"

    @property
    def as_json(self) -> dict[str, float]:
        return {"per_second": self.limit, "busiest": self.busiest, "refused": self.refused}


@dataclass
class Limits:
    """rates: units a second of each limited channel. before: throttled ones of earlier runs."""

    rates: dict[str, float]
    sandbox: SandboxClient
    before: dict[str, int] = field(default_factory=dict)

    @property
    def words(self) -> str:
        """ "email 50/s, sms 25/s"."""
        return ", ".join(
            f"{channel} {rate_limits.in_words(rate)}" for channel, rate in self.rates.items()
        )

    def pace(self, channel: str, *, since: datetime, scripted: int = 0) -> Pace:
        """How fast it went since then. scripted: refusals that the demo itself had ordered."""
        taken = [each for each in self.sandbox.accepted(channel) if each.accepted_at >= since]
        refused = _throttled(self.sandbox, channel) - self.before[channel] - scripted
        return Pace(channel, self.rates[channel], busiest_second(taken), max(0, refused))


@contextmanager
def enforced(sandbox: SandboxClient) -> Iterator[Limits]:
    """The limits as they stand now, which the providers enforce for the length of the block.

    A provider counts in whole seconds of its own and is no stickler: a tenth more passes.
    """
    rates = {
        consumer.channel: rate
        for consumer in all_consumers()
        if consumer.channel and (rate := rate_limits.in_force(consumer))
    }
    limits = Limits(rates, sandbox)
    for channel, rate in limits.rates.items():
        limits.before[channel] = _throttled(sandbox, channel)
        sandbox.limit(channel, allowance(rate, HEAVIEST.get(channel, 1)))
    try:
        yield limits
    finally:
        for channel in limits.rates:
            sandbox.limit(channel, None)


def allowance(rate: float, heaviest: int = 1) -> float:
    """What may arrive in any second: the limit, and on top of it what travels late, or all units of
    the heaviest message, which goes in one piece."""
    return rate + max(1.0, rate / 10, heaviest)


def busiest_second(messages: Iterable[AcceptedMessage]) -> int:
    """The most units that arrived within any one second: an SMS counts by its parts."""
    moments = sorted((message.accepted_at.timestamp(), _units(message)) for message in messages)
    return max(map(sum, _seconds(moments)), default=0)


def _seconds(moments: Sequence[tuple[float, int]]) -> Iterator[list[int]]:
    """The units of every second that begins with an arrival."""
    end = 0
    for start, (moment, _) in enumerate(moments):
        while end < len(moments) and moments[end][0] < moment + 1:
            end += 1
        yield [units for _, units in moments[start:end]]


def _units(message: AcceptedMessage) -> int:
    return parts(message.text) if message.channel == "sms" else 1


def _throttled(sandbox: SandboxClient, channel: str) -> int:
    return int(sandbox.counts()[channel]["outcomes"].get(THROTTLED, 0))
