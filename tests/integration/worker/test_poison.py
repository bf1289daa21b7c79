"""A task that kills the process it runs in, and what becomes of it and of its neighbours."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from notifications.local.processes import Process
from notifications.models import Event, Handled
from notifications.worker.starts import MOST_STARTS
from tests.integration.worker.conftest import Probes
from tests.waiting import wait_for

Start = Callable[..., Process]

SOON = {"PROBE_VISIBILITY_SECONDS": "2"}
"""What a dead worker held comes again after so long."""


def finished(probes: Probes) -> list[str]:
    """The numbers of the neighbours whose tasks came to their end, once for each time."""
    return sorted(line.split()[1] for line in probes.runs() if line.startswith("done "))


def buried(probes: Probes) -> list[tuple[str, str]]:
    """Reason and attempts of each dead letter."""
    letters = [letter["MessageAttributes"] for letter in probes.dead_letters()]
    return [(each["reason"]["StringValue"], each["attempts"]["StringValue"]) for each in letters]


@pytest.mark.S3
@pytest.mark.trap(13)
def test_what_kills_the_worker_each_time_becomes_a_dead_letter_and_its_neighbours_are_done(
    probes: Probes, threads_worker: Start
) -> None:
    neighbours = probes.send_many(["sleep and tell"] * 5, seconds=0.5)
    poison = probes.send("die", times=100)
    deaths = 0
    while not probes.is_empty():
        child = threads_worker(concurrency=8, **SOON)
        wait_for(lambda child=child: not child.alive or probes.is_empty(), within=60)
        deaths += not child.alive
        assert deaths < 10
    assert len(probes.runs(poison)) == deaths == MOST_STARTS + 1
    # Twice, if the worker died between its end and its deletion, which follows within 50 ms.
    assert set(finished(probes)) == set(map(str, neighbours))
    assert buried(probes) == [("poison", str(MOST_STARTS))]
    [row] = Handled.objects.all()
    assert (row.subject, row.outcome) == (f"probe/{poison}", Handled.Outcome.FAILED)


@pytest.mark.trap(13)
def test_what_kills_a_child_of_the_pool_each_time_becomes_a_dead_letter(
    probes: Probes, worker: Start
) -> None:
    poison = probes.send("die", times=100)
    event = Event.objects.get(subject=f"probe/{poison}")
    for _ in range(MOST_STARTS - 1):
        Handled.objects.begin_suspect("probe", event.envelope())
    neighbours = probes.send_many(["sleep and tell"] * 5, seconds=0.5)
    worker("probe", pool="prefork", concurrency=3, **SOON)
    wait_for(probes.is_empty, within=60)
    assert len(probes.runs(poison)) == 2
    assert finished(probes) == sorted(map(str, neighbours))
    assert buried(probes) == [("poison", str(MOST_STARTS))]


@pytest.mark.trap(13)
def test_memory_that_runs_out_each_time_is_poison_too(
    probes: Probes, threads_worker: Start
) -> None:
    number = probes.send("run out of memory")
    event = Event.objects.get(subject=f"probe/{number}")
    for _ in range(MOST_STARTS):
        Handled.objects.begin_suspect("probe", event.envelope())
    threads_worker()
    wait_for(probes.is_empty, within=30)
    assert len(probes.runs(number)) == 1
    assert buried(probes) == [("poison", str(MOST_STARTS))]
