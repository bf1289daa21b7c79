"""Threads that do something at the same moment, each on a connection of its own."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from django.db import connection

T = TypeVar("T")


def at_once(work: Callable[[], T], threads: int) -> list[T]:
    """What `work` returned in each of so many threads that started it at the same moment."""
    return all_at_once([work] * threads)


def all_at_once(works: list[Callable[[], T]]) -> list[T]:
    """What each of `works` returned, a thread for each."""
    start = threading.Barrier(len(works))
    connection.close()  # to the pool: the threads need them all

    def run(work: Callable[[], T]) -> T:
        try:
            connection.ensure_connection()
            start.wait(timeout=20)
            return work()
        finally:
            connection.close()

    with ThreadPoolExecutor(len(works)) as pool:
        return [future.result() for future in [pool.submit(run, work) for work in works]]


def waiting_for_locks() -> int:
    """How many locks somebody waits for just now."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_locks WHERE NOT granted")
        return int(cursor.fetchone()[0])
