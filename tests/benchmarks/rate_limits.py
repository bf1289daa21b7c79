"""How near workers come to their accounts' limits, and whether they ever pass one.

1, 4 and 8 worker processes send email (5 a second) and SMS (50 a second, one part each) through
the provider sandbox, which writes down when each arrived. Three times: a backlog that comes to
workers that idle, a backlog of more than a minute, and one during which the provider hangs for
five seconds. No window of one second, wherever it begins, may hold more than the limit and its
burst; over the minute of backlog nearly all of the limit has to be used.

Plain Celery's `rate_limit` stands beside: the same two limits on four workers, where each
worker takes the limit for its own.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from notifications.local.providers.client import SandboxClient
from tests.benchmarks.arrivals import Arrivals
from tests.benchmarks.contender import Progress
from tests.benchmarks.ground import ground
from tests.benchmarks.limited.house import House, PlainHouse
from tests.benchmarks.result import Result, Row

LATENCY = 0.010
LIMITS: Mapping[str, int] = {"email": 5, "sms": 50}
"""Units a second."""
LEAST_USED = 0.97
IDLE, HANG, PATIENCE = 3.0, 5.0, 45.0
"""Seconds: of idling before a backlog comes; for which the provider hangs; for which the first
message to arrive is waited for."""
TICK = 0.25
FIRST = dict.fromkeys(LIMITS, 1)


@dataclass(frozen=True)
class Size:
    """workers: how many processes, a run for each. The others are seconds: of backlog that comes
    to idle workers, over which the use is measured, after a hang, and of plain Celery's run.
    """

    workers: Sequence[int] = (1, 4, 8)
    idle: int = 8
    backlog: int = 60
    after: int = 10
    plain_workers: int = 4
    plain: int = 15


@dataclass(frozen=True)
class Seen:
    """What the provider took in one phase. used: the share of each limit, where it is measured;
    hidden: the most messages that the workers held at any moment, one look in four a second."""

    who: str
    workers: int
    arrivals: Mapping[str, Arrivals]
    hidden: int
    used: Mapping[str, float] | None = None

    @property
    def row(self) -> Row:
        figures: dict[str, float] = {}
        for channel, limit in LIMITS.items():
            figures[f"{limit}/s: most in 1 s"] = self.most(channel)
            if self.used:
                figures[f"{limit}/s: % used"] = 100 * self.used[channel]
        figures["held"] = self.hidden
        return Row(self.who, f"{self.workers} workers", figures)

    def most(self, channel: str) -> int:
        return self.arrivals[channel].most_in_a_second()

    @property
    def times_the_limit(self) -> float:
        """In the fullest second, for the channel that came worst off."""
        return max(self.most(channel) / limit for channel, limit in LIMITS.items())

    @property
    def kept(self) -> bool:
        return all(self.most(channel) <= allowed(limit) for channel, limit in LIMITS.items())


def allowed(limit: int) -> float:
    """Units in any window of one second: the limit and its burst."""
    return limit + max(1, limit / 10)


def run(progress: Progress, size: Size | None = None) -> Result:
    """Six to seven minutes. `progress` is told what is being done."""
    size = size or Size()
    load = os.getloadavg()[0]
    with (
        ground(latency=LATENCY) as here,
        SandboxClient(here.environment["PROVIDER_SANDBOX_URL"]) as sandbox,
    ):
        house, plain = House(here, LIMITS), PlainHouse(here, LIMITS)
        ours: list[Seen] = []
        for workers in size.workers:
            ours += _Run(house, sandbox, workers, size, progress).phases()
        theirs = _plain(plain, sandbox, size, progress)
        dead = house.dead_letters()
    return _result(ours, theirs, dead, load)


@dataclass(frozen=True)
class _Run:
    """So many worker processes, and what comes to them."""

    house: House
    sandbox: SandboxClient
    workers: int
    size: Size
    progress: Progress

    def phases(self) -> Iterator[Seen]:
        with self.house.workers(self.workers):
            yield self._from_idle()
            yield self._backlog()
            yield self._hang()
        self.sandbox.reset()

    def _from_idle(self) -> Seen:
        self.progress(f"{self.workers} workers, from idle")
        time.sleep(IDLE)
        watch = _Watch(self.sandbox, self.house.hidden)
        self._send(self.size.idle)
        watch.until({channel: limit * self.size.idle for channel, limit in LIMITS.items()})
        return Seen("ours, from idle", self.workers, watch.arrivals(), watch.hidden)

    def _backlog(self) -> Seen:
        self.progress(f"{self.workers} workers, a backlog of {self.size.backlog} s")
        watch = _Watch(self.sandbox, self.house.hidden)
        self._send(self.size.backlog + self.size.after + 5)
        watch.until(FIRST)
        watch.during(self.size.backlog)
        arrivals = watch.arrivals()
        used = {
            channel: arrivals[channel].within(self.size.backlog) / (limit * self.size.backlog)
            for channel, limit in LIMITS.items()
        }
        return Seen("ours, backlog", self.workers, arrivals, watch.hidden, used)

    def _hang(self) -> Seen:
        self.progress(f"{self.workers} workers, the provider hangs for {HANG:.0f} s")
        watch = _Watch(self.sandbox, self.house.hidden, since=time.time() - 1)
        self._script("hang")
        watch.during(HANG)
        self._script("accept")
        watch.begin()
        watch.until(FIRST)
        watch.during(self.size.after)
        return Seen("ours, after a hang", self.workers, watch.arrivals(), watch.hidden)

    def _send(self, seconds: int) -> None:
        for channel, limit in LIMITS.items():
            self.house.send(channel, limit * seconds)

    def _script(self, behaviour: str) -> None:
        for channel in LIMITS:
            self.sandbox.script(channel, behaviour)


def _plain(house: PlainHouse, sandbox: SandboxClient, size: Size, progress: Progress) -> Seen:
    progress(f"plain Celery, {size.plain_workers} workers, a backlog of {size.plain} s")
    seconds = size.plain * size.plain_workers
    house.send(LIMITS["email"] * seconds, LIMITS["sms"] * seconds)
    watch = _Watch(sandbox, house.hidden)
    with house.workers(size.plain_workers):
        watch.until(FIRST)
        watch.during(size.plain)
    return Seen("plain Celery, backlog", size.plain_workers, watch.arrivals(), watch.hidden)


class _Watch:
    """Looks at the sandbox and at what the workers hold. since: Unix seconds, by default now."""

    def __init__(
        self, sandbox: SandboxClient, held: Callable[[], int], since: float | None = None
    ) -> None:
        self._sandbox = sandbox
        self._held = held
        self._since = time.time() if since is None else since
        self.hidden = 0
        self.begin()

    def begin(self) -> None:
        """Wait for what comes from now on."""
        self._taken = self._sandbox.counts()

    def until(self, wanted: Mapping[str, int]) -> None:
        """Until each channel has taken so many."""
        deadline = time.monotonic() + PATIENCE
        while not all(self._came(channel) >= count for channel, count in wanted.items()):
            if time.monotonic() > deadline:
                raise RuntimeError(f"the provider was sent too little: {self._sandbox.counts()}")
            self._look()

    def during(self, seconds: float) -> None:
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self._look()

    def arrivals(self) -> dict[str, Arrivals]:
        return {
            channel: Arrivals.of(
                message.accepted_at.timestamp() for message in self._sandbox.accepted(channel)
            ).after(self._since)
            for channel in LIMITS
        }

    def _came(self, channel: str) -> int:
        now, before = self._sandbox.counts()[channel], self._taken[channel]
        return int(now["accepted"]) - int(before["accepted"])

    def _look(self) -> None:
        self.hidden = max(self.hidden, self._held())
        time.sleep(TICK)


def _result(ours: Sequence[Seen], plain: Seen, dead: int, load: float) -> Result:
    seconds = [used for seen in ours if seen.used for used in seen.used.values()]
    return Result(
        unit="times the limit in the fullest second",
        ours=max(seen.times_the_limit for seen in ours),
        peer=plain.times_the_limit,
        limit=None,
        rows=[seen.row for seen in (*ours, plain)],
        targets={
            "no second holds more than the limit and its burst": all(seen.kept for seen in ours),
            f"at least {LEAST_USED:.0%} of the limit is used": min(seconds) >= LEAST_USED,
            "nothing is dead-lettered for being early": not dead,
        },
        notes=[
            f"allowed in one second: {allowed(5):.0f} of 5/s, {allowed(50):.0f} of 50/s",
            f"load before the run: {load:.1f} (above 0.5, others disturb the figures)",
        ],
        extra={
            "load_before": round(load, 2),
            "least_used": round(min(seconds), 4),
            "phases": [
                {"who": seen.who, "workers": seen.workers, **seen.row.figures}
                for seen in (*ours, plain)
            ],
        },
    )
