"""How long `POST /api/orders` takes: ours, everything in the request, and the bare insert.

One gunicorn each, as `gunicorn.conf.py` has it, with a process for each of two cores, on one
PostgreSQL that waits for its disk. They take turns, one client or eight, and each round compares
runs that were seconds apart; medians of the rounds. The limit is the same API with nobody listening
to the shop's signals: the same token, validation, key and rows, and no event.

Ours is measured twice: while the relay publishes what it records, as in production, but on the same
two cores; and while the relay stands still, which leaves the request's own cost.
"""

from __future__ import annotations

import json
import os
import signal
import statistics
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import count, cycle

import psycopg

from notifications.local.ports import HOST, free_port
from notifications.local.processes import Process
from tests.benchmarks.clients import Latencies, requests
from tests.benchmarks.clients import run as send
from tests.benchmarks.contender import Progress
from tests.benchmarks.ground import Ground, ground
from tests.benchmarks.provider import Provider
from tests.benchmarks.result import Result, Row

SETTINGS = {"DJANGO_SETTINGS_MODULE": "tests.benchmarks.shop.settings"}
PROCESSES = 2
"""Of each web server: one for a core, or a core would idle while requests wait."""
PROVIDER_SECONDS = 0.2
CLIENTS = (1, 8)
PERCENTILES = (50, 99)
MOST_OF_LIMIT = 1.25
LEAST_TIMES_PEER = 5
READY_WITHIN = 60.0
DRAINED_WITHIN = 60.0
TICK = 0.05


@dataclass(frozen=True)
class Size:
    """Requests of each contender in a round, from one client and from eight."""

    rounds: int = 9
    requests: tuple[int, int] = (400, 1200)
    peer: tuple[int, int] = (2, 16)
    warm_up: int = 60


@dataclass
class Web:
    """One gunicorn, and how its rounds went, by the number of clients."""

    who: str
    settings: str
    port: int
    path: str
    process: Process
    keyed: bool = True
    around: Callable[[Callable[[], Latencies]], Latencies] = lambda measure: measure()
    rounds: dict[int, list[Latencies]] = field(default_factory=dict)

    def median(self, clients: int, percent: float) -> float:
        """Milliseconds."""
        return 1000 * statistics.median(
            each.percentile(percent) for each in self.rounds.get(clients, [])
        )

    def row(self) -> Row:
        figures: dict[str, float] = {}
        for clients, rounds in self.rounds.items():
            name = f"{clients} client{'s' if clients > 1 else ''}"
            for percent in PERCENTILES:
                figures[f"{name}: p{percent} ms"] = self.median(clients, percent)
            figures[f"{name}: /s"] = statistics.median(each.per_second for each in rounds)
        return Row(self.who, self.settings, figures)


class Shop:
    """The furnished shop: what is ordered, and by whom."""

    def __init__(self, here: Ground) -> None:
        self._here = here
        furnish = here.start(
            [sys.executable, "-m", "tests.benchmarks.shop.furnish"], name="furnish", **SETTINGS
        )
        if furnish.wait(within=READY_WITHIN):
            raise RuntimeError(f"furnishing failed:\n{furnish.tail(40)}")
        self._found = json.loads(furnish.log.splitlines()[-1])
        self._numbers = count(1)
        self._bodies = self._orders()

    def open(self, who: str, settings: str, *, path: str = "/api/orders", **env: str) -> Web:
        """A gunicorn that answers."""
        port = free_port()
        web = self._here.start(
            [sys.executable, "-m", "gunicorn", "orders_site.wsgi"],
            name=f"web-{port}",
            WEB_BIND=f"{HOST}:{port}",
            WEB_CONCURRENCY=str(PROCESSES),
            **SETTINGS,
            **env,
        )
        web.wait_until(lambda: web.log.count("Booting worker") == PROCESSES, within=READY_WITHIN)
        return Web(who, settings, port, path, web)

    def measure(self, web: Web, number: int, clients: int) -> Latencies:
        keys = (f"bench-{n}" if web.keyed else "" for n in self._numbers)
        each = requests(web.path, self._found["token"], self._bodies, keys)
        prepared = [request for request, _ in zip(each, range(number), strict=False)]
        return web.around(lambda: send(web.port, prepared, clients))

    def _orders(self) -> Iterator[str]:
        """Two lines each."""
        customers, skus = cycle(self._found["customers"]), cycle(self._found["skus"])
        while True:
            lines = [{"sku": next(skus), "quantity": 1 + n} for n in range(2)]
            yield json.dumps({"customer": next(customers), "lines": lines})


class Relay:
    """`manage.py relay`, which can be made to stand still."""

    def __init__(self, here: Ground) -> None:
        command = [sys.executable, "manage.py", "relay"]
        self.process = here.start(command, name="relay", **SETTINGS)
        self.process.wait_until(lambda: "ready" in self.process.log, within=READY_WITHIN)
        self._database = psycopg.connect(here.environment["DATABASE_URL"], autocommit=True)

    def close(self) -> None:
        self._database.close()

    def beside(self, measure: Callable[[], Latencies]) -> Latencies:
        """While it publishes; and afterwards what is left, so that nobody else pays for it."""
        latencies = measure()
        self._drain()
        return latencies

    def elsewhere(self, measure: Callable[[], Latencies]) -> Latencies:
        """While it stands still, as if it had cores of its own."""
        os.kill(self.process.pid, signal.SIGSTOP)
        try:
            latencies = measure()
        finally:
            os.kill(self.process.pid, signal.SIGCONT)
        self._drain()
        return latencies

    def _drain(self) -> None:
        deadline = time.monotonic() + DRAINED_WITHIN
        statement = "SELECT EXISTS (SELECT FROM notifications_dispatch WHERE state <> 'published')"
        while self._database.execute(statement).fetchone() != (False,):
            if time.monotonic() > deadline or not self.process.alive:
                raise RuntimeError(f"the relay does not get done:\n{self.process.tail(40)}")
            time.sleep(TICK)


def run(progress: Progress, size: Size | None = None) -> Result:
    """About five minutes. `progress` is told what is being done."""
    size = size or Size()
    load = os.getloadavg()[0]
    with ground(latency=0.010, durable=True) as here:
        progress("furnishing the shop")
        shop, provider, relay = Shop(here), Provider(here, PROVIDER_SECONDS), Relay(here)
        us = shop.open("ours", "relay beside, on the same cores")
        us.around = relay.beside
        alone = Web("ours", "relay standing still", us.port, us.path, us.process)
        alone.around = relay.elsewhere
        bare = shop.open("bare insert, the limit", "no events", BENCH_EVENTS="0")
        peer = shop.open(
            "all in the request, the peer",
            f"three providers, {1000 * PROVIDER_SECONDS:.0f} ms each; 16 threads",
            path="/peer/orders",
            GUNICORN_CMD_ARGS="--threads 16",
            BENCH_EVENTS="0",
            BENCH_PROVIDER_URL=provider.url,
        )
        peer.keyed = False
        for web in (us, bare):
            shop.measure(web, size.warm_up, CLIENTS[-1])
        shop.measure(peer, CLIENTS[-1], CLIENTS[-1])
        for number in range(size.rounds):
            progress(f"round {number + 1} of {size.rounds}")
            for clients, ordinary, slow in zip(CLIENTS, size.requests, size.peer, strict=True):
                for web in _in_turn([alone, bare, us], number):
                    latencies = shop.measure(web, ordinary, clients)
                    web.rounds.setdefault(clients, []).append(latencies)
                peer.rounds.setdefault(clients, []).append(shop.measure(peer, slow, clients))
        relay.close()
    return _result(us, alone, bare, peer, load)


def _in_turn(webs: Sequence[Web], number: int) -> list[Web]:
    """Each round begins with another one, so that nobody always follows the same."""
    start = number % len(webs)
    return [*webs[start:], *webs[:start]]


def _ratio(one: Web, other: Web, clients: int, percent: float) -> float:
    """The median of the rounds' ratios: what the machine did meanwhile it did to both."""
    pairs = zip(one.rounds[clients], other.rounds[clients], strict=True)
    return statistics.median(a.percentile(percent) / b.percentile(percent) for a, b in pairs)


def _result(us: Web, alone: Web, bare: Web, peer: Web, load: float) -> Result:
    cells = [(clients, percent) for clients in CLIENTS for percent in PERCENTILES]
    of_limit = {cell: _ratio(alone, bare, *cell) for cell in cells}
    beside = {cell: _ratio(us, bare, *cell) for cell in cells}
    times = {cell: _ratio(peer, us, *cell) for cell in cells}

    def named(ratios: dict[tuple[int, int], float]) -> dict[str, float]:
        return {f"p{percent}_{clients}": round(r, 3) for (clients, percent), r in ratios.items()}

    return Result(
        unit="ms at p50, one client",
        ours=us.median(1, 50),
        peer=peer.median(1, 50),
        limit=bare.median(1, 50),
        rows=[us.row(), alone.row(), bare.row(), peer.row()],
        targets={
            **{
                f"p{percent}, {clients} at once: at most {MOST_OF_LIMIT} of the bare insert "
                f"({of_limit[clients, percent]:.2f})": of_limit[clients, percent] <= MOST_OF_LIMIT
                for clients, percent in cells
            },
            **{
                f"p{percent}, {clients} at once: at least {LEAST_TIMES_PEER} times as fast as "
                f"all in the request ({times[clients, percent]:.0f})": times[clients, percent]
                >= LEAST_TIMES_PEER
                for clients, percent in cells
            },
        },
        notes=[
            "with the relay on the same cores, of the bare insert: "
            + ", ".join(f"p{p} {c} at once {beside[c, p]:.2f}" for c, p in cells),
            f"load before the run: {load:.1f} (above 0.5, others disturb the figures)",
        ],
        extra={
            "load_before": round(load, 2),
            "of_limit": named(of_limit),
            "of_limit_relay_beside": named(beside),
            "times_peer": named(times),
        },
    )
