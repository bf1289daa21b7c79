"""A worker says at its start that its threads would wait for database connections."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from notifications.local.processes import Process
from tests.waiting import wait_for

SAID = "pools 5 connections for 6 threads"


@pytest.mark.parametrize(("concurrency", "warned"), [(5, False), (6, True)])
def test_too_few_connections_are_said_with_both_numbers_and_the_mend(
    threads_worker: Callable[..., Process], concurrency: int, warned: bool
) -> None:
    worker = threads_worker(concurrency=concurrency, DATABASE_POOL_SIZE="5")
    wait_for(lambda: " ready." in worker.log)
    assert (SAID in worker.log) is warned
    assert ('"max_size": 6} in its OPTIONS, or start the worker with -c 5' in worker.log) is warned
