"""What it came to: judged by what the providers took, against what was promised."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from rich.console import Console

from notifications.local.providers.client import AcceptedMessage
from orders_site.announcement.memory import Growth
from orders_site.demo.limits import HEAVIEST, Pace, allowance
from orders_site.demo.manifest import Call
from orders_site.demo.verdict import Verdict

REACHED = 0.9
"""The share of a limit from which on it is said to have been reached."""
REFUSED = 0.002
"""The share of a channel's messages that its provider may have refused as too fast: on a machine
with more to do than it can, a message that was sent in time comes late, and crowds that second."""
MOST_SHOWN = 10


@dataclass(frozen=True)
class Failover:
    """Text messages that each of the two providers took before the first went down, while it was,
    and after it had come back."""

    before: Mapping[str, int]
    meanwhile: Mapping[str, int]
    after: Mapping[str, int]

    @property
    def held(self) -> bool:
        """The other one took over, at once and alone but for what was on its way."""
        return bool(self.before.get("north") and self.meanwhile.get("south"))

    @property
    def as_json(self) -> dict[str, Mapping[str, int]]:
        return {"before": self.before, "meanwhile": self.meanwhile, "after": self.after}


@dataclass(frozen=True)
class Outcome:
    """bound: of the seconds from its first mail to its last, the share in which the account was
    sent nine tenths of its limit or more. waits: seconds from each order to its mail."""

    recipients: int
    verdict: Verdict
    paces: Sequence[Pace]
    bound: float
    failover: Failover
    memory: Mapping[str, Growth]
    waits: Sequence[float]
    seconds: float
    wrong: Sequence[str]

    @property
    def good(self) -> bool:
        return self.verdict.good and not list(self._faults())

    def show(self, console: Console) -> None:
        told = self.verdict
        console.print(
            f"\n{self.recipients:,} recipients, {told.expected:,} messages called for, "
            f"{told.accepted:,} accepted in {self.seconds:.0f} s: {len(told.lost)} lost, "
            f"{len(told.doubled)} doubled, {len(told.uncalled)} uncalled for.\n"
            f"Units in the busiest second, of the limit: {'; '.join(map(str, self.paces))}. "
            f"The mail account ran at its limit in {self.bound:.0%} of the seconds.\n"
            f"Text messages by provider: {_by_provider(self.failover)}.\n"
            f"{len(self.waits)} orders meanwhile: confirmed by mail within "
            f"{_median(self.waits):.1f} s in the middle, {max(self.waits, default=0.0):.1f} s at "
            "the most."
        )
        for name, growth in self.memory.items():
            console.print(f"  {name:<12} {_memory_in_words(growth)}", markup=False)
        lines = [_named(call, "was never told") for call in told.lost]
        lines += [_named(call, "was told twice") for call in told.doubled]
        lines += [_named(call, "was told, and nobody asked for it") for call in told.uncalled]
        for line in [*lines, *self._faults()][:MOST_SHOWN]:
            console.print(f"  {line}", style="red", markup=False)
        console.print("held: each once, within the limits" if self.good else "[red]FAILED[/]")

    def as_line(self) -> str:
        told = self.verdict
        return json.dumps(
            {
                "recipients": self.recipients,
                "expected": told.expected,
                "accepted": told.accepted,
                "lost": len(told.lost),
                "doubled": len(told.doubled),
                "uncalled": len(told.uncalled),
                "seconds": round(self.seconds, 1),
                "limits": {pace.channel: pace.as_json for pace in self.paces},
                "mail_at_limit": round(self.bound, 3),
                "failover": self.failover.as_json,
                "orders": {
                    "placed": len(self.waits),
                    "median": round(_median(self.waits), 2),
                    "longest": round(max(self.waits, default=0.0), 2),
                },
                "memory": {name: growth.as_json for name, growth in self.memory.items()},
                "wrong": list(self._faults()),
            }
        )

    def _faults(self) -> Iterable[str]:
        yield from self.wrong
        for pace in self.paces:
            most = allowance(pace.limit, HEAVIEST.get(pace.channel, 1))
            may_be_refused = max(3, REFUSED * self.verdict.accepted / len(self.paces))
            if pace.busiest > most or pace.refused > may_be_refused:
                yield f"{pace.channel} went too fast: {pace}"
            if pace.channel == "email" and pace.busiest < REACHED * pace.limit:
                yield f"the limit of the mail account was never reached: {pace}"
        if not self.failover.held:
            yield f"no provider took over: {_by_provider(self.failover)}"
        for name, growth in self.memory.items():
            if not growth.flat:
                yield f"{name} grew by {growth.growth:.1f} MB"


def bound(messages: Sequence[AcceptedMessage], limit: float) -> float:
    """The share of the whole seconds, from the first message to the last, in which the account was
    sent nine tenths of its limit or more."""
    seconds = Counter(int(message.accepted_at.timestamp()) for message in messages)
    between = sorted(seconds)[1:-1]  # the first and the last are none whole
    if not between:
        return 0.0
    full = sum(seconds[second] >= REACHED * limit for second in between)
    return full / (between[-1] - between[0] + 1)


def by_sender(messages: Iterable[AcceptedMessage], senders: Mapping[str, str]) -> dict[str, int]:
    """How many each provider took. senders: by provider."""
    names = {sender: name for name, sender in senders.items()}
    return dict(Counter(names.get(message.sender, message.sender) for message in messages))


def _by_provider(failover: Failover) -> str:
    def words(counts: Mapping[str, int]) -> str:
        return " and ".join(f"{name} {count:,}" for name, count in sorted(counts.items())) or "none"

    return (
        f"{words(failover.before)}; while north was down {words(failover.meanwhile)}; "
        f"then {words(failover.after)}"
    )


def _memory_in_words(growth: Growth) -> str:
    if growth.slope is None:
        return f"{growth.peak:.0f} MB at the most (too short to tell whether it grows)"
    return (
        f"{growth.peak:.0f} MB at the most, {growth.slope:+.2f} MB a minute, "
        f"{growth.growth:+.1f} MB in all"
    )


def _named(call: Call, what: str) -> str:
    return f"{call.event_type} of {call.subject} by {call.channel} {what}"


def _median(waits: Sequence[float]) -> float:
    return waits[len(waits) // 2] if waits else 0.0
