"""One run: furnish, let everything go wrong while it is called for, drain, judge."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import cast

import django
from django.core.management import call_command
from django.db import DEFAULT_DB_ALIAS, connections
from django.db.backends.postgresql.base import DatabaseWrapper

from notifications.local.ports import HOST, free_port
from notifications.local.sandbox import send_receipts
from tests.chaos.ground import LOCAL, Ground, ground
from tests.chaos.house import WEB, House, web
from tests.chaos.report import Report
from tests.chaos.scenario import CHANNELS, Scenario
from tests.chaos.stage import Stage
from tests.chaos.troubles import LOOKUPS, PAYMENTS, TOKEN

DRAIN = 300.0
"""Seconds that may pass, after the last trouble, until nothing moves any more: a message that has
failed several times sleeps for a minute or two."""
PATIENCE = 240.0
"""Seconds beyond the scenario's for everything to be called for."""
QUIET = 2.0
"""Seconds in which nothing moves, before it is believed: a doubled message would come now."""
LOOK = 0.5

Tell = Callable[[str], None]


class NotPlaced(RuntimeError):
    """The shop was away for so long that not everything could be called for."""


def run(scenario: Scenario, *, verbose: bool, tell: Tell) -> Report:
    """Play it. Raises PartFailed, ProcessFailed or NotPlaced when it could not be played."""
    with opened(scenario, tell=tell) as (here, house, url):
        return _play(scenario, here, house, url, verbose=verbose, tell=tell)


@contextmanager
def opened(scenario: Scenario, *, tell: Tell) -> Iterator[tuple[Ground, House, str]]:
    """Everything started and ready, nothing called for yet; and the URL of the web process."""
    with ground(settings=scenario.settings) as here:
        os.environ.clear()
        os.environ.update(here.direct)
        django.setup()
        tell("preparing the database and the queues")
        call_command("migrate", verbosity=0, interactive=False)
        call_command("provision", verbosity=0)
        scenario.furnish(here)
        _let_receipts_come(here)
        _leave_database()
        port = free_port()
        house = House(here, port, {WEB: web(port), **scenario.members})
        tell("starting web, relays and workers")
        house.open()
        with closing(house):
            yield here, house, f"http://{HOST}:{port}"


def _play(
    scenario: Scenario, here: Ground, house: House, url: str, *, verbose: bool, tell: Tell
) -> Report:
    stage = Stage(here, house, tell=tell if verbose else lambda line: None)
    steps = scenario.plan()
    tell(f"{scenario.title}, {len(steps)} steps of trouble in {scenario.seconds:.0f} s")
    began = time.monotonic()
    with closing(scenario):
        scenario.begin(here, web=url)
        stage.play(steps, until=lambda seconds: _is_over(scenario, seconds))
    stage.calm((*CHANNELS, TOKEN, PAYMENTS, LOOKUPS))
    tell("no more trouble; draining")
    calmed = time.monotonic()
    left = drain(house, tell)
    drained = time.monotonic()
    house.close()
    report = Report.of(
        scenario,
        here,
        house,
        left=left,
        troubles=stage.troubles,
        seconds=drained - began,
        drain=max(0.0, drained - calmed - QUIET),
    )
    if not report.good:
        tell(f"the logs are kept in {keep_logs(here)}")
    return report


def _is_over(scenario: Scenario, seconds: float) -> bool:
    if seconds > scenario.seconds + PATIENCE:
        raise NotPlaced(f"after {seconds:.0f} s not everything was called for")
    return scenario.done and seconds >= scenario.seconds


def drain(house: House, tell: Tell) -> str:
    """Until nothing moves any more; what still did after DRAIN seconds."""
    from tests.chaos.evidence import still_moving

    deadline, quiet_since, said = time.monotonic() + DRAIN, 0.0, 0.0
    while True:
        house.watch()
        left = still_moving()
        now = time.monotonic()
        if left:
            quiet_since = 0.0
            if now - said > 10:
                said = now
                tell(f"draining: {left}")
        elif not quiet_since:
            quiet_since = now
        elif now - quiet_since > QUIET:
            return ""
        if now > deadline:
            return left
        time.sleep(LOOK)


def _let_receipts_come(here: Ground) -> None:
    """Not through the proxy: SNS is the providers' own concern, and they do not lose a receipt."""
    from notifications import topology
    from notifications.channels.receipts import consumer as receipts

    send_receipts(here.direct, topology.current().topic(receipts.NAME).physical)


def keep_logs(here: Ground) -> Path:
    """Those of the last run that failed."""
    kept = LOCAL / "chaos" / "failed"
    shutil.rmtree(kept, ignore_errors=True)
    shutil.copytree(here.stack.directories.home / "logs", kept)
    return kept


def _leave_database() -> None:
    """Our own connections would not outlive its restarts."""
    connection = cast(DatabaseWrapper, connections[DEFAULT_DB_ALIAS])
    connection.close()
    connection.close_pool()
