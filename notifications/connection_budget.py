"""The connection budget: how many database connections the planned processes may open together.

    web      min(pool, threads + 2)   one for each thread that answers a request; gauges, /readyz
    relay    min(pool, 21) + 1        publishers, jobs side by side, nine threads; the listener
    worker   pool + 1 + children      tasks and polls, as many as the pool lets; the look for a
                                      lost database; one for each child that a task runs in

each times how many of them the plan has (`NOTIFICATIONS["FLEET"]`), and what is left to commands
and people. Beyond what the server takes, whoever comes last is refused, and that may be the relay.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, replace

from django.db import connections, router

from notifications.conf import Fleet, conf
from notifications.job_runner import SIDE_BY_SIDE
from notifications.models import Event
from notifications.publishing import PUBLISHERS

logger = logging.getLogger(__name__)

LOOK_EVERY = 3600.0
"""Seconds between two looks of a relay."""

RELAY_THREADS = PUBLISHERS + SIDE_BY_SIDE + 9
"""Besides: the relay itself, the chores, retention, the schedule, the expansion of announcements,
the job runner, the telling of CloudWatch, its look for the gauges of the fleet, and the one for
/readyz."""

_SERVER = """
SELECT current_setting('max_connections')::int
         - current_setting('superuser_reserved_connections')::int
         - coalesce(current_setting('reserved_connections', true)::int, 0),
       (SELECT rolconnlimit FROM pg_roles WHERE rolname = current_user),
       (SELECT datconnlimit FROM pg_database WHERE datname = current_database())
"""


@dataclass(frozen=True)
class Budget:
    """What one process of each kind may open, and the plan that says how many there are."""

    fleet: Fleet
    pool: int

    @property
    def web(self) -> int:
        return min(self.pool, self.fleet.web_threads + 2)

    @property
    def relay(self) -> int:
        return min(self.pool, RELAY_THREADS) + 1

    @property
    def worker(self) -> int:
        return self.pool + 1 + self.fleet.worker_children

    @property
    def total(self) -> int:
        fleet = self.fleet
        processes = fleet.web * self.web + fleet.relays * self.relay + fleet.workers * self.worker
        return processes + fleet.others

    def __str__(self) -> str:
        fleet = self.fleet
        return (
            f"{self.total} (web {fleet.web} x {self.web}, relays {fleet.relays} x {self.relay}, "
            f"workers {fleet.workers} x {self.worker}, others {fleet.others})"
        )


def planned(*, children: int = 0) -> Budget | None:
    """Of the plan in the settings; None without one, or where connections are not pooled.
    children: of the worker that asks, where the plan knows of fewer."""
    fleet = conf().fleet
    size = getattr(getattr(connections[_alias()], "pool", None), "max_size", 0)
    if fleet is None or not size:
        return None
    return Budget(replace(fleet, worker_children=max(children, fleet.worker_children)), size)


def allowed() -> int:
    """How many connections the server takes of us. Raises what the database raises."""
    with connections[_alias()].cursor() as cursor:
        cursor.execute(_SERVER)
        limits: tuple[int, ...] = cursor.fetchone()
    return min(limit for limit in limits if limit >= 0)  # -1 is none


def excess(*, children: int = 0) -> str:
    """What is too much about the plan, in a sentence; empty if nothing. Asks the server."""
    budget = planned(children=children)
    if budget is None or budget.total <= (limit := allowed()):
        return ""
    return (
        f"The fleet as planned may open {budget} connections to the database, which takes {limit}."
    )


def warn(*, children: int = 0) -> None:
    """Say so in the log. children: as for `planned`, of a worker started with `-P prefork`."""
    if said := excess(children=children):
        logger.warning("%s %s", said, MEND)


def watch(*, using: str, go_on: Callable[[], bool]) -> int:
    """A relay's chore."""
    warn()
    return 0


MEND = (
    "Plan fewer processes (FLEET), smaller pools with fewer threads (the shop: FLEET_WORKERS and "
    "the like, DATABASE_POOL_SIZE, WORKER_CONCURRENCY), or raise the server's max_connections; a "
    "connection pooler in front of it makes the plan needless."
)


def _alias() -> str:
    return router.db_for_write(Event)
