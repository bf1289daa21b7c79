"""A worker says at its start that its threads would wait for database connections."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.db import connection

from notifications.connection_pool import warn_of_too_few
from notifications.local.processes import Process

SAID = "pools 5 connections for 6 threads"


def test_too_few_connections_are_said_with_both_numbers_and_the_mend(
    threads_worker: Callable[..., Process], caplog: pytest.LogCaptureFixture
) -> None:
    worker = threads_worker(concurrency=6, DATABASE_POOL_SIZE="5")
    assert SAID in worker.log
    assert '"max_size": 6} in its OPTIONS, or start the worker with -c 5' in worker.log

    warn_of_too_few(connection.pool.max_size)  # type: ignore[attr-defined]
    assert not caplog.records, "each has one"
