"""One run: warm up, measure the capacity, half of it for as long as asked, drain, judge."""

from __future__ import annotations

import json
import os
import time
from contextlib import closing

from tests.chaos import lab
from tests.chaos.ground import LOCAL, Ground
from tests.chaos.house import House
from tests.chaos.lab import NotPlaced, Tell
from tests.chaos.report import Report
from tests.chaos.scenario import CHANNELS
from tests.chaos.stage import Stage
from tests.chaos.troubles import LOOKUPS, PAYMENTS, TOKEN
from tests.soak.outcome import Outcome
from tests.soak.scenario import AT_MOST, Soak
from tests.soak.watch import Series, Watch

WARM_UP, MEASURED = 40, 240
"""Orders: so that everybody has met everything once; from which the capacity is told."""
SHARE = 0.5
"""Of the capacity."""
PATIENCE = 120.0
"""Seconds beyond the time asked for, in which the last orders are placed."""
LOOK = 0.1
AS_IN_THE_IMAGE = {"MALLOC_ARENA_MAX": "2"}
"""Of our processes: with an arena for each thread, what is freed in one is not used by another."""
SAMPLES = LOCAL / "soak" / "samples.json"
"""Every figure of the last run."""


def run(*, minutes: float, seed: int, verbose: bool, tell: Tell) -> Outcome:
    """Raises PartFailed, ProcessFailed or NotPlaced when it could not be run."""
    os.environ.update(AS_IN_THE_IMAGE)
    scenario = Soak(minutes=minutes, seed=seed)
    with lab.opened(scenario, tell=tell) as (here, house, url):
        _rush(scenario, house, url, orders=WARM_UP, tell=tell)
        capacity = MEASURED / _rush(scenario, house, url, orders=MEASURED, tell=tell)
        scenario.per_second = min(AT_MOST, SHARE * capacity)
        tell(f"takes {capacity:.1f} orders a second; now {scenario.title}")
        return _soak(scenario, here, house, url, capacity, verbose=verbose, tell=tell)


def _rush(scenario: Soak, house: House, url: str, *, orders: int, tell: Tell) -> float:
    """Seconds from the first order until everything is done, of as many as come at once."""
    began = time.monotonic()
    shoppers = scenario.rush(web=url, orders=orders, seed=scenario.seed + orders)
    while not shoppers.done:
        if time.monotonic() > began + PATIENCE:
            raise NotPlaced(f"{orders} orders were not placed within {PATIENCE:.0f} s")
        house.watch()
        time.sleep(LOOK)
    scenario.rushed(shoppers)
    if left := lab.drain(house, tell):
        raise NotPlaced(f"{orders} orders were not done with in time: {left}")
    return time.monotonic() - began - lab.QUIET


def _soak(
    scenario: Soak,
    here: Ground,
    house: House,
    url: str,
    capacity: float,
    *,
    verbose: bool,
    tell: Tell,
) -> Outcome:
    stage = Stage(here, house, tell=tell if verbose else lambda line: None)
    began = time.monotonic()
    with closing(scenario), Watch(house) as watch:
        scenario.begin(here, web=url)
        stage.play(scenario.plan(), until=lambda seconds: _is_over(scenario, seconds))
    stage.calm((*CHANNELS, TOKEN, PAYMENTS, LOOKUPS))
    tell("draining")
    calmed = time.monotonic()
    left = lab.drain(house, tell)
    drained = time.monotonic()
    house.close()
    books = Report.of(
        scenario,
        here,
        house,
        left=left,
        troubles=stage.troubles,
        seconds=drained - began,
        drain=max(0.0, drained - calmed - lab.QUIET),
    )
    _keep(watch.series)
    outcome = Outcome.of(
        books,
        watch.series,
        minutes=(calmed - began) / 60,
        capacity=capacity,
        per_second=scenario.per_second,
        ended=house.by_themselves,
    )
    if not outcome.good:
        tell(f"the logs are kept in {lab.keep_logs(here)}")
    return outcome


def _keep(series: Series) -> None:
    """For whoever wants to draw it."""
    SAMPLES.parent.mkdir(parents=True, exist_ok=True)
    SAMPLES.write_text(
        json.dumps({f"{kind} of {whose}": it for (kind, whose), it in series.items()})
    )


def _is_over(scenario: Soak, seconds: float) -> bool:
    if seconds > scenario.seconds + PATIENCE:
        raise NotPlaced(f"after {seconds:.0f} s not everything was called for")
    return scenario.done and seconds >= scenario.seconds
