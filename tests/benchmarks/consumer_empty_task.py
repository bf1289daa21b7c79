"""How many messages a second one worker process consumes when the task itself does nothing.

Ours, plain Celery on kombu's own SQS transport at the best of a grid, and a bare boto3
loop with as many receives under way as ours has: one process each, on the same emulator
behind the same 10 ms of round trip, in rounds one after the other; medians.
"""

from __future__ import annotations

import statistics
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial

from notifications.worker.transport import RECEIVES_PER_QUEUE
from tests.benchmarks import ours, peer
from tests.benchmarks.ground import ROOT, Drained, Ground, ground
from tests.benchmarks.ours import Ours
from tests.benchmarks.peer import Peer
from tests.benchmarks.result import Result, Row

LATENCY = 0.010
OURS = ours.Settings(concurrency=16)
PEER_GRID = (
    peer.Settings("prefork", concurrency=2, prefetch=4, polling_interval=0.02),
    peer.Settings("prefork", concurrency=2, prefetch=32, polling_interval=1),
    peer.Settings("prefork", concurrency=8, prefetch=16, polling_interval=0.02),
    peer.Settings("prefork", concurrency=8, prefetch=16, polling_interval=1),
    peer.Settings("threads", concurrency=8, prefetch=4, polling_interval=0.02),
    peer.Settings("threads", concurrency=8, prefetch=4, polling_interval=1),
    peer.Settings("threads", concurrency=16, prefetch=64, polling_interval=0.02),
    peer.Settings("threads", concurrency=16, prefetch=64, polling_interval=1),
)
LEAST_TIMES_PEER = 15
LEAST_OF_LIMIT = 0.7
MOST_REQUESTS = 0.45

Progress = Callable[[str], None]


@dataclass(frozen=True)
class Size:
    """How many messages each contender gets in each round."""

    rounds: int = 3
    ours: int = 10_000
    peer: int = 600
    grid: int = 300
    peer_grid: Sequence[peer.Settings] = PEER_GRID


@dataclass
class Contender:
    """One row of the table. `drain` runs one round of so many messages."""

    who: str
    settings: str
    drain: Callable[[int], Drained]
    rounds: list[Drained] = field(default_factory=list)

    def run(self, messages: int, progress: Progress) -> None:
        progress(f"{self.who}, {self.settings}: {messages:,} messages")
        self.rounds.append(self.drain(messages))

    def median(self, figure: Callable[[Drained], float]) -> float:
        return statistics.median(map(figure, self.rounds))

    @property
    def per_second(self) -> float:
        return self.median(lambda drained: drained.per_second)

    @property
    def requests_each(self) -> float:
        return self.median(lambda drained: drained.requests_each)

    def row(self) -> Row:
        return Row(
            self.who,
            self.settings,
            {
                "messages": sum(drained.sent for drained in self.rounds),
                "messages/s": self.per_second,
                "CPU ms each": self.median(lambda drained: drained.cpu_milliseconds),
                "requests each": self.requests_each,
            },
        )


def run(progress: Progress, size: Size | None = None) -> Result:
    """About three minutes. `progress` is told what is being done."""
    size = size or Size()
    with ground(latency=LATENCY) as here:
        queue, plain = Ours(here), Peer(here, body=ours.event_text(1))
        tried = _try_grid(plain, size, progress)
        us = Contender("ours", str(OURS), partial(queue.drain, OURS))
        them = _best(plain, size, tried)
        bare = [_bare(here, queue, deleters) for deleters in (0, RECEIVES_PER_QUEUE)]
        for _ in range(size.rounds):
            us.run(size.ours, progress)
            them.run(size.peer, progress)
            for loop in bare:
                loop.run(size.ours, progress)
    return _result(us, them, bare, tried)


def _try_grid(plain: Peer, size: Size, progress: Progress) -> list[Contender]:
    tried = []
    for settings in size.peer_grid:
        contender = Contender("plain Celery", str(settings), partial(plain.drain, settings))
        contender.run(size.grid, progress)
        tried.append(contender)
    return tried


def _best(plain: Peer, size: Size, tried: Sequence[Contender]) -> Contender:
    """The best of the grid, its rounds still to come."""
    fastest = max(range(len(tried)), key=lambda number: tried[number].per_second)
    settings = size.peer_grid[fastest]
    return Contender("plain Celery, best", str(settings), partial(plain.drain, settings))


def _bare(here: Ground, queue: Ours, deleters: int) -> Contender:
    numbers = (str(RECEIVES_PER_QUEUE), str(deleters))

    def drain(messages: int) -> Drained:
        queue.publish(messages)
        command = [sys.executable, ROOT / "tests" / "benchmarks" / "limit.py", queue.queue]
        return here.drain(queue.queue, here.start([*command, *numbers], name="limit"))

    settings = f"{numbers[0]} receivers, {numbers[1] if deleters else 'no'} deleters"
    return Contender("bare boto3 loop", settings, drain)


def _result(
    us: Contender, them: Contender, bare: Sequence[Contender], tried: Sequence[Contender]
) -> Result:
    limit = max(loop.per_second for loop in bare)
    return Result(
        unit="messages/s",
        ours=us.per_second,
        peer=them.per_second,
        limit=limit,
        rows=[contender.row() for contender in (us, *bare, them, *tried)],
        targets={
            f"at least {LEAST_TIMES_PEER} times plain Celery": us.per_second
            >= LEAST_TIMES_PEER * them.per_second,
            f"at least {LEAST_OF_LIMIT} of the limit": us.per_second >= LEAST_OF_LIMIT * limit,
            f"at most {MOST_REQUESTS} requests per message": us.requests_each <= MOST_REQUESTS,
        },
        extra={
            "requests_per_message": round(us.requests_each, 3),
            "peer_requests_per_message": round(them.requests_each, 3),
            "cpu_ms_per_message": round(us.median(lambda drained: drained.cpu_milliseconds), 3),
            "peer_settings": them.settings,
            "settings": us.settings,
        },
    )
