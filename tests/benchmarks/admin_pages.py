"""How long the operators' pages take at 10,000 deliveries, and at 5,000,000.

Two databases of one PostgreSQL, a process for each, in which Django's test client asks the whole
WSGI stack (middleware, session, templates) for one page at a time. They take turns, so that
whatever else the machine does befalls both. A page's p95 at the larger size over that at the
smaller one says whether anything that it does grows with the table.
"""

from __future__ import annotations

import json
import math
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

import psycopg

from notifications.local.processes import Process
from tests.benchmarks.desk import COUNTED
from tests.benchmarks.ground import ROOT, Ground, ground
from tests.benchmarks.result import Result, Row

Progress = Callable[[str], None]

SETTINGS = {"DJANGO_SETTINGS_MODULE": "orders_site.settings", "DJANGO_DEBUG": ""}
MOST_TIMES = 2.0
DEEP = 50
"""The page of the list that is far down."""
FILLED_WITHIN = 3600.0
EMPTY = "desk"
"""The database with all tables and no rows, of which the two are copies."""


@dataclass(frozen=True)
class Size:
    """Deliveries of each database, and how often each page is asked for after the warm-up."""

    small: int = 10_000
    large: int = 5_000_000
    repeats: int = 80
    warm_up: int = 5


@dataclass
class Desk:
    """An operator's session with one database, and how long its pages took."""

    deliveries: int
    known: Mapping[str, str]
    process: subprocess.Popen[str]
    seconds: dict[str, list[float]] = field(default_factory=dict)
    queries: dict[str, int] = field(default_factory=dict)

    def ask(self, path: str) -> Mapping[str, Any]:
        assert self.process.stdin
        self.process.stdin.write(f"{path}\n")
        self.process.stdin.flush()
        return self.answer(path)

    def answer(self, path: str) -> Mapping[str, Any]:
        assert self.process.stdout
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError(f"{path} failed at {self.deliveries:,} deliveries")
        answer: Mapping[str, Any] = json.loads(line)
        return answer

    def measure(self, name: str, path: str, *, counts: bool) -> None:
        """counts: its seconds do. In the warm-up its queries do, of which some pages make fewer
        while they remember something: the most."""
        answer = self.ask(path if counts else f"{COUNTED} {path}")
        if counts:
            self.seconds.setdefault(name, []).append(answer["seconds"])
        else:
            self.queries[name] = max(answer["queries"], self.queries.get(name, 0))

    def percentile(self, name: str, percent: float) -> float:
        """Milliseconds."""
        ordered = sorted(self.seconds[name])
        return 1000 * ordered[math.ceil(percent / 100 * len(ordered)) - 1]

    def pages(self) -> Mapping[str, str]:
        """Where each page is, by its name."""
        places = self.answer("the start")
        every = places["deliveries"]
        pages = {
            "deliveries, first page": every,
            f"deliveries, page {DEEP}": self._deep(every),
            "deliveries, failed": f"{every}?state=failed",
            "deliveries, need a look": f"{every}?state=trouble",
            "deliveries, by sms": f"{every}?channel=sms",
            "deliveries, sent by push": f"{every}?state=sent&channel=push",
            "deliveries, nothing matches": f"{every}?state=complained&channel=sms",
            "deliveries, an unknown event type": f"{every}?event_type=order.refunded",
            **{f"search, {name}": f"{every}?q={quote(term)}" for name, term in self.known.items()},
            "search, nothing found": f"{every}?q=nothing-of-the-kind",
            "one delivery": f"{every}{self.known['delivery']}/change/",
        }
        return {**pages, **{name: places[name] for name in places if name not in ("deliveries",)}}

    def _deep(self, every: str) -> str:
        path = every
        for _ in range(DEEP - 1):
            if following := self.ask(path)["next"]:
                path = every + following
        return path


def run(progress: Progress) -> Result:
    with ground(latency=0.0) as here:
        return measure(here, progress, Size())


def measure(here: Ground, progress: Progress, size: Size) -> Result:
    manage = [sys.executable, "manage.py", "migrate", "--verbosity", "0"]
    here.run(manage, name="migrate", **SETTINGS, DATABASE_URL=_database(here, EMPTY))
    with _desk(here, size.small, progress) as small, _desk(here, size.large, progress) as large:
        places = [(desk, desk.pages()) for desk in (small, large)]
        names = list(places[0][1])
        for turn in range(size.warm_up + size.repeats):
            progress(f"round {turn + 1} of {size.warm_up + size.repeats}")
            for name in names:
                for desk, pages in places[:: 1 if turn % 2 else -1]:
                    desk.measure(name, pages[name], counts=turn >= size.warm_up)
    ratios = {name: large.percentile(name, 95) / small.percentile(name, 95) for name in names}
    worst = max(names, key=lambda name: ratios[name])
    return Result(
        f"ms ({worst})",
        ours=large.percentile(worst, 95),
        peer=small.percentile(worst, 95),
        limit=None,
        rows=[_row(name, small, large) for name in names],
        targets={
            f"every page's p95 at {size.large:,} is at most {MOST_TIMES:g} times that at "
            f"{size.small:,}: {ratios[worst]:.2f}, {worst}": ratios[worst] <= MOST_TIMES,
            "every page makes as many queries at both": small.queries == large.queries,
        },
        extra={
            "queries differ": [n for n in names if small.queries[n] != large.queries[n]],
            "ratios": {name: round(ratio, 2) for name, ratio in ratios.items()},
            "queries": large.queries,
        },
    )


def _row(name: str, small: Desk, large: Desk) -> Row:
    times = [desk.percentile(name, 95) for desk in (small, large)]
    figures = {f"{desk.deliveries:,}: ms": desk.percentile(name, 95) for desk in (small, large)}
    return Row(name, f"{large.queries[name]} queries", {**figures, "ratio": times[1] / times[0]})


@contextmanager
def _desk(here: Ground, deliveries: int, progress: Progress) -> Iterator[Desk]:
    """A database of so many deliveries, and a session with it."""
    name = f"desk_{deliveries}"
    environment = {**SETTINGS, "DATABASE_URL": _database(here, name, template=EMPTY)}
    progress(f"making {deliveries:,} deliveries")
    past = here.start(
        [sys.executable, "-m", "tests.benchmarks.past", str(deliveries)], name=name, **environment
    )
    known = json.loads(_ended(past).splitlines()[-1])
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.benchmarks.desk"],
        env={**here.environment, **environment},
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with process:
        yield Desk(deliveries, known, process)
        assert process.stdin
        process.stdin.close()


def _database(here: Ground, name: str, *, template: str = "template1") -> str:
    """A new one; its URL."""
    server, _, _ = here.environment["DATABASE_URL"].rpartition("/")
    with psycopg.connect(f"{server}/postgres", autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name} TEMPLATE {template}")
    return f"{server}/{name}"


def _ended(process: Process) -> str:
    if process.wait(within=FILLED_WITHIN):
        raise RuntimeError(f"{process.name} failed:\n{process.tail(40)}")
    return process.log
