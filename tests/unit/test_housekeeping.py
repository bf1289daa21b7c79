"""The relay's other thread: no chore ends it, and publishing comes first."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from django.db import OperationalError

from notifications.housekeeping import SLOW_STEP, Chore, Housekeeping
from tests.waiting import wait_for

GoOn = Callable[[], bool]


@contextmanager
def at_work(*chores: Chore, busy: bool = False) -> Iterator[Housekeeping]:
    housekeeping = Housekeeping("default", chores)
    if busy:
        housekeeping.give_way()
    housekeeping.start()
    try:
        yield housekeeping
    finally:
        housekeeping.close()


def test_a_chore_that_fails_is_said_once_and_keeps_no_other_from_being_done(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.WARNING, "notifications")
    tries: list[str] = []
    well: list[str] = []

    def fail(*, using: str, go_on: GoOn) -> int:
        tries.append(using)
        if len(tries) < 4:
            raise OperationalError("the server is gone\nand more")
        return 0

    def succeed(*, using: str, go_on: GoOn) -> int:
        well.append(using)
        return 1

    with at_work(Chore("failing", 0.01, fail), Chore("working", 0.01, succeed)):
        wait_for(lambda: len(tries) > 5 and len(well) > 2)

    said = [record.getMessage() for record in caplog.records]
    assert said == [
        "Failing failed (OperationalError: the server is gone); trying on every 0 s.",
        "Failing works again.",
    ]


def test_a_bug_is_said_with_its_traceback(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING, "notifications")

    def fail(*, using: str, go_on: GoOn) -> int:
        raise ZeroDivisionError

    with at_work(Chore("failing", 0.01, fail)):
        wait_for(lambda: caplog.records)
    assert caplog.records[0].exc_info


def test_a_chore_goes_slowly_while_the_relay_publishes() -> None:
    steps: list[float] = []

    def work(*, using: str, go_on: GoOn) -> int:
        while go_on():
            steps.append(time.monotonic())
        return len(steps)

    with at_work(Chore("working", 60, work), busy=True) as housekeeping:
        wait_for(lambda: len(steps) >= 2)
        housekeeping.give_way()
    assert steps[1] - steps[0] >= SLOW_STEP * 0.9


def test_it_stops_in_the_middle_of_a_chore_and_one_never_begun_is_closed_too() -> None:
    begun: list[bool] = []

    def work(*, using: str, go_on: GoOn) -> int:
        while go_on():
            begun.append(True)
        return 0

    with at_work(Chore("working", 60, work)):
        wait_for(lambda: begun)
    steps = len(begun)
    Housekeeping("default", ()).close()
    assert len(begun) == steps
