"""How many emails a second one worker process sends, each claimed, limited and put on record.

Ours is `deliver()` as it is: claim, decide, render, wait for a turn of an account that is
limited (so high that it never waits), send, record; with the heartbeat. Plain Celery, at the
best of a grid, claims with one statement, sends the same mail by the same SDK and records with
another. The provider answers at once, or after 50 ms; SQS is 10 ms away. And each feature is
left out once, the SDK's call too: what it costs is the difference. The call alone, with nothing
around it, is what one process can send at the most.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from tests.benchmarks import ours, peer
from tests.benchmarks.bare_sends import send_alone
from tests.benchmarks.contender import Contender, Progress, best
from tests.benchmarks.ground import Drained, Ground, ground
from tests.benchmarks.ours import Ours
from tests.benchmarks.peer import Peer
from tests.benchmarks.provider import Provider
from tests.benchmarks.result import Result

LATENCY = 0.010
AT_ONCE, SLOW = 0.0, 0.050
RATE_LIMIT = "100000/s"
OURS = {AT_ONCE: ours.Settings(concurrency=32), SLOW: ours.Settings(concurrency=64)}
ABLATIONS: Mapping[str, Mapping[str, str]] = {
    "ours without the gate": {"BENCH_RATE_LIMIT": ""},
    "ours without the heartbeat": {"BENCH_HEARTBEAT": "off"},
    "ours without group commit": {"BENCH_GROUP_COMMIT": "1"},
}
PEER_GRID = (
    peer.Settings("prefork", concurrency=8, prefetch=16, polling_interval=0.02),
    peer.Settings("prefork", concurrency=16, prefetch=16, polling_interval=1),
    peer.Settings("threads", concurrency=16, prefetch=16, polling_interval=0.02),
    peer.Settings("threads", concurrency=64, prefetch=4, polling_interval=1),
)
GEVENT_GRID = (
    peer.Settings("gevent", concurrency=64, prefetch=10, polling_interval=0),
    peer.Settings("gevent", concurrency=200, prefetch=4, polling_interval=0),
)
LEAST_TIMES_PEER = 10


@dataclass(frozen=True)
class Size:
    """How many messages each contender gets in each round."""

    rounds: int = 2
    ours: int = 4_000
    peer: int = 400
    gevent: int = 1_000
    grid: int = 250


def run(progress: Progress, size: Size | None = None) -> Result:
    """Four to five minutes. `progress` is told what is being done."""
    size = size or Size()
    load = os.getloadavg()[0]
    with ground(latency=LATENCY) as here:
        queue = Ours(here, ours.MAILER)
        plain = Peer(here, body=ours.event_text(1), task="teller")
        halves = [_Half(here, Provider(here, seconds), queue, plain) for seconds in (AT_ONCE, SLOW)]
        for half in halves:
            half.try_peers(size, progress)
        for _ in range(size.rounds):
            for half in halves:
                half.run(size, progress)
    return _result(*halves, load)


class _Half:
    """Everybody's rounds at one provider."""

    def __init__(self, ground: Ground, provider: Provider, queue: Ours, plain: Peer) -> None:
        self.provider = provider
        self._plain = plain
        settings = OURS[provider.seconds]
        drain = partial(queue.drain, settings)
        limited = {"BENCH_RATE_LIMIT": RATE_LIMIT}
        self.us = self._contender("ours", str(settings), drain, limited)
        self.ablations = [
            self._contender(who, str(settings), drain, {**limited, **left_out})
            for who, left_out in ABLATIONS.items()
        ]
        idle = partial(drain, **limited, BENCH_IDLE=str(provider.seconds))
        self.idle = Contender(
            "ours, a call that costs no CPU: the limit", _at(provider, settings), idle
        )
        alone = partial(send_alone, ground, settings.concurrency)
        self.call = self._contender("boto3's call, nothing else", str(settings), alone, {})
        self.tried: list[Contender] = []

    def try_peers(self, size: Size, progress: Progress) -> None:
        """Every setting once; the best of each grid then takes part in the rounds."""
        self.them, self.green = (
            best(self._tried(grid, size, progress)) for grid in (PEER_GRID, GEVENT_GRID)
        )

    def run(self, size: Size, progress: Progress) -> None:
        """One round."""
        for contender in (self.us, *self.ablations, self.idle, self.call):
            contender.run(size.ours, progress)
        self.them.run(size.peer, progress)
        self.green.run(size.gevent, progress)

    @property
    def contenders(self) -> Sequence[Contender]:
        return [self.us, *self.ablations, self.idle, self.call, self.them, self.green]

    def as_json(self) -> dict[str, Any]:
        return {
            "ours": round(self.us.per_second, 1),
            "peer": round(self.them.per_second, 1),
            "ratio_to_peer": round(self.us.per_second / self.them.per_second, 2),
            "gevent": round(self.green.per_second, 1),
            "ratio_to_gevent": round(self.us.per_second / self.green.per_second, 2),
            "cpu_ms_per_message": round(self.us.cpu_milliseconds, 3),
            "peer_cpu_ms_per_message": round(self.them.cpu_milliseconds, 3),
            "settings": self.us.settings,
            "peer_settings": self.them.settings,
            "gevent_settings": self.green.settings,
            **{
                who.removeprefix("ours ").replace(" ", "_"): round(each.per_second, 1)
                for who, each in zip(ABLATIONS, self.ablations, strict=True)
            },
            "with_a_call_that_costs_no_cpu": round(self.idle.per_second, 1),
            "the_call_alone": round(self.call.per_second, 1),
        }

    def _tried(
        self, grid: Sequence[peer.Settings], size: Size, progress: Progress
    ) -> list[Contender]:
        tried = [
            self._contender("plain Celery", str(settings), partial(self._plain.drain, settings), {})
            for settings in grid
        ]
        for contender in tried:
            contender.run(size.grid, progress)
        self.tried += tried
        return tried

    def _contender(
        self, who: str, settings: str, drain: Callable[..., Drained], env: Mapping[str, str]
    ) -> Contender:
        """One whose every message has to be seen by the provider, once."""

        def checked(messages: int) -> Drained:
            before = self.provider.taken()
            drained = drain(messages, **self.provider.environment, **env)
            if (taken := self.provider.taken() - before) != messages:
                raise RuntimeError(f"{who} sent {taken} emails for {messages} messages")
            return drained

        return Contender(who, _at(self.provider, settings), checked)


def _at(provider: Provider, settings: object) -> str:
    return f"{settings}, provider {1000 * provider.seconds:.0f} ms"


def _result(at_once: _Half, slow: _Half, load: float) -> Result:
    halves = {"at once": at_once, "after 50 ms": slow}
    return Result(
        unit="messages/s",
        ours=slow.us.per_second,
        peer=slow.them.per_second,
        limit=slow.idle.per_second,
        rows=[each.row() for half in halves.values() for each in half.contenders]
        + [each.row() for half in halves.values() for each in half.tried],
        targets={
            f"at least {LEAST_TIMES_PEER} times plain Celery, the provider answering {when}": (
                half.us.per_second >= LEAST_TIMES_PEER * half.them.per_second
            )
            for when, half in halves.items()
        },
        notes=[
            *(
                f"provider answering {when}: "
                f"{half.us.per_second / half.them.per_second:.1f} times plain Celery, "
                f"{half.us.per_second / half.green.per_second:.1f} times its gevent pool"
                for when, half in halves.items()
            ),
            f"load before the run: {load:.1f} (above 0.5, others disturb the figures)",
        ],
        extra={
            "load_before": round(load, 2),
            "provider_at_once": at_once.as_json(),
            "provider_50_ms": slow.as_json(),
        },
    )
