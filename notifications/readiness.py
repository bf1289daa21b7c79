"""Readiness: whether a process can do its part now: its database, our tables in it, the broker.

A web process needs the database alone: orders are taken without SNS and SQS, and published when
they are back. So what the broker says is told and decides nothing, unless whoever asks says
`?strict`; a worker or a relay, which can do nothing without it, is always asked strictly. The
broker that is asked is SQS. Whether SNS takes anything a relay knows, and nobody else: its role may
publish there and ask nothing.
Nothing but these words is told: no name, no address, no version.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace

from django.db import DEFAULT_DB_ALIAS, connections
from django.db.migrations.executor import MigrationExecutor

from notifications import topology
from notifications.aws.reach import reach
from notifications.process_server import Answer
from notifications.shared_look import SharedLook

PATH = "/readyz"

PATIENCE = 2.0
"""Seconds that whoever asks waits for an answer."""

OK, AWAY, NO_ANSWER = "ok", "away", "no answer"


@dataclass(frozen=True)
class Readiness:
    """Each is "ok", or says in a word or two what it lacks."""

    database: str
    migrations: str
    broker: str

    def suffices(self, *, strict: bool) -> bool:
        needed = (self.database, self.migrations, *([self.broker] if strict else []))
        return all(word == OK for word in needed)


def look() -> Readiness:
    """What is found now, or was a moment ago; within PATIENCE."""
    until = time.monotonic() + PATIENCE
    _broker.begin()
    database = _within(_database, until)
    migrations = _within(_migrations, until) if database == OK else "not known"
    return Readiness(database, migrations, _within(_broker, until))


def answer(*, strict: bool, stuck: bool = False) -> Answer:
    """What /readyz says: one line of JSON, with 503 when the process had better be left alone.

    stuck: it meets with nothing but failures at the broker itself, whatever SQS says.
    """
    found = replace(look(), broker=AWAY) if stuck else look()
    ready = found.suffices(strict=strict)
    body = f"{json.dumps({'ready': ready, **asdict(found)})}\n".encode()
    return 200 if ready else 503, "application/json", body


def forget() -> None:
    """Ask all anew: the environment has changed."""
    for each in (_database, _migrations, _broker):
        each.start_anew()


def _within(look: SharedLook[str], until: float) -> str:
    word, in_time = look.take(max(until - time.monotonic(), 0.0))
    return word if in_time else NO_ANSWER


def _ask_database() -> str:
    """After a failover, a connection may lead to a server that only reads."""
    try:
        with connections[DEFAULT_DB_ALIAS].cursor() as cursor:
            cursor.execute("SHOW transaction_read_only")
            return "only reads" if cursor.fetchone() == ("on",) else OK
    except Exception:  # noqa: BLE001 - whatever it is, an order would meet it as well
        return AWAY
    finally:
        connections.close_all()


def _ask_migrations() -> str:
    """A database that is ahead of this code, in a rolling deploy, lacks none."""
    try:
        executor = MigrationExecutor(connections[DEFAULT_DB_ALIAS])
        missing = executor.migration_plan(executor.loader.graph.leaf_nodes())
        return f"{len(missing)} not applied" if missing else OK
    except Exception:  # noqa: BLE001 - as above
        return "not known"
    finally:
        connections.close_all()


def _ask_broker() -> str:
    try:
        return reach(topology.current().queues[0].physical, seconds=PATIENCE)
    except Exception:  # noqa: BLE001 - a setting that cannot be read, say: the checks name it
        return "not known"


def _looking(
    ask: Callable[[], str], name: str, *, fresh: float, settled: bool = False
) -> SharedLook[str]:
    """fresh: seconds. settled: for the word OK the answer is good for ever."""
    return SharedLook(
        ask,
        nothing=NO_ANSWER,
        fresh=lambda word: math.inf if settled and word == OK else fresh,
        name=name,
    )


_database = _looking(_ask_database, "database's readiness", fresh=1.0)
_migrations = _looking(_ask_migrations, "migrations' readiness", fresh=2.0, settled=True)
_broker = _looking(_ask_broker, "broker's readiness", fresh=15.0)
