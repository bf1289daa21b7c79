"""How many messages a second one worker process consumes when the task itself does nothing.

Ours, plain Celery on kombu's own SQS transport at the best of a grid, and a bare boto3
loop with as many receives under way as ours has: one process each, on the same emulator
behind the same 10 ms of round trip, in rounds one after the other; medians.

The peer is the best of the pools that run ordinary blocking code, as ours does. Celery's
gevent pool deletes messages side by side and is several times faster; it needs gevent and
a process patched for it, so it stands beside, in a row and with figures of its own.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import celeryconfig
from tests.benchmarks import ours, peer
from tests.benchmarks.contender import Contender, Progress, best
from tests.benchmarks.ground import ROOT, Drained, Ground, ground
from tests.benchmarks.ours import Ours
from tests.benchmarks.peer import Peer
from tests.benchmarks.result import Result

LATENCY = 0.010
RECEIVES: int = celeryconfig.broker_transport_options["receives_per_queue"]
OURS = ours.Settings(concurrency=8)
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
GEVENT_GRID = (
    peer.Settings("gevent", concurrency=20, prefetch=10, polling_interval=0),
    peer.Settings("gevent", concurrency=200, prefetch=10, polling_interval=0),
)
LEAST_TIMES_PEER = 15
LEAST_OF_LIMIT = 0.7
MOST_REQUESTS = 0.45


@dataclass(frozen=True)
class Size:
    """How many messages each contender gets in each round."""

    rounds: int = 3
    ours: int = 10_000
    peer: int = 600
    gevent: int = 2_000
    grid: int = 300


def run(progress: Progress, size: Size | None = None) -> Result:
    """Three to four minutes. `progress` is told what is being done."""
    size = size or Size()
    load = os.getloadavg()[0]
    with ground(latency=LATENCY) as here:
        queue, plain = Ours(here), Peer(here, body=ours.event_text(1))
        us = Contender("ours", str(OURS), partial(queue.drain, OURS))
        bare = [_bare(here, queue, deleters) for deleters in (0, RECEIVES)]
        tried = [_try(plain, PEER_GRID, size, progress), _try(plain, GEVENT_GRID, size, progress)]
        them, green = (best(grid) for grid in tried)
        for _ in range(size.rounds):
            us.run(size.ours, progress)
            them.run(size.peer, progress)
            green.run(size.gevent, progress)
            for loop in bare:
                loop.run(size.ours, progress)
    return _result(us, them, green, bare, [*tried[0], *tried[1]], load)


def _try(
    plain: Peer, grid: Sequence[peer.Settings], size: Size, progress: Progress
) -> list[Contender]:
    tried = [
        Contender("plain Celery", str(settings), partial(plain.drain, settings))
        for settings in grid
    ]
    for contender in tried:
        contender.run(size.grid, progress)
    return tried


def _bare(here: Ground, queue: Ours, deleters: int) -> Contender:
    numbers = (str(RECEIVES), str(deleters))

    def drain(messages: int) -> Drained:
        queue.publish(messages)
        command = [sys.executable, ROOT / "tests" / "benchmarks" / "limit.py", queue.queue]
        return here.drain(queue.queue, here.start([*command, *numbers], name="limit"))

    settings = f"{numbers[0]} receivers, {numbers[1] if deleters else 'no'} deleters"
    return Contender("bare boto3 loop", settings, drain)


def _result(
    us: Contender,
    them: Contender,
    green: Contender,
    bare: Sequence[Contender],
    tried: Sequence[Contender],
    load: float,
) -> Result:
    limit = max(loop.per_second for loop in bare)
    return Result(
        unit="messages/s",
        ours=us.per_second,
        peer=them.per_second,
        limit=limit,
        rows=[contender.row() for contender in (us, *bare, them, green, *tried)],
        targets={
            f"at least {LEAST_TIMES_PEER} times plain Celery": us.per_second
            >= LEAST_TIMES_PEER * them.per_second,
            f"at least {LEAST_OF_LIMIT} of the limit": us.per_second >= LEAST_OF_LIMIT * limit,
            f"at most {MOST_REQUESTS} requests per message": us.requests_each <= MOST_REQUESTS,
        },
        notes=[
            f"{us.per_second / green.per_second:.1f} times plain Celery on the gevent pool",
            f"load before the run: {load:.1f} (above 0.5, others disturb the figures)",
        ],
        extra={
            "load_before": round(load, 2),
            "settings": us.settings,
            "cpu_ms_per_message": round(us.cpu_milliseconds, 3),
            "requests_per_message": round(us.requests_each, 3),
            "peer_settings": them.settings,
            "peer_requests_per_message": round(them.requests_each, 3),
            "gevent": round(green.per_second, 1),
            "gevent_settings": green.settings,
            "ratio_to_gevent": round(us.per_second / green.per_second, 2),
        },
    )
