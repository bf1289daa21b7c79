"""The crew of a pool of threads: everything is done, side by side where it takes long."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import pytest
from celery.concurrency.thread import TaskPool

from notifications.worker.crew import Crew, crew_of
from tests.waiting import wait_for

PATIENCE = 20.0


@pytest.fixture
def pool() -> Iterator[Any]:
    pool = TaskPool(limit=4)
    yield pool
    pool.on_stop()


def test_everything_is_done_once(pool: Any) -> None:
    crew, done, all_done = Crew(pool), [], threading.Event()

    def work(number: int) -> None:
        done.append(number)
        if len(done) == 1000:
            all_done.set()

    for number in range(1000):
        crew.put(lambda number=number: work(number))

    assert all_done.wait(PATIENCE)
    assert sorted(done) == list(range(1000))


def test_what_waits_has_a_thread_each_as_far_as_they_go(pool: Any) -> None:
    crew, together = Crew(pool), threading.Barrier(5)  # four threads, and this one

    for _ in range(4):
        crew.put(lambda: together.wait(PATIENCE) and None)

    together.wait(PATIENCE)  # they all wait at the same time, or none gets past


def test_what_raises_all_the_same_costs_no_place_in_the_crew(
    pool: Any, caplog: pytest.LogCaptureFixture
) -> None:
    crew, done = Crew(pool), threading.Event()

    def broken() -> None:
        raise SystemExit("not even this")

    for _ in range(2 * pool.limit):
        crew.put(broken)
    crew.put(done.set)

    assert done.wait(PATIENCE)
    wait_for(lambda: caplog.text.count("SystemExit: not even this") == 2 * pool.limit)


def test_more_than_there_are_threads_wait_for_one_to_be_free(pool: Any) -> None:
    crew, go_on = Crew(pool), threading.Event()
    four, fifth = threading.Barrier(5), threading.Event()

    def slow() -> None:
        four.wait(PATIENCE)
        go_on.wait(PATIENCE)

    for _ in range(4):
        crew.put(slow)
    four.wait(PATIENCE)
    crew.put(fifth.set)
    began_early = fifth.is_set()
    go_on.set()

    assert fifth.wait(PATIENCE)
    assert not began_early


def test_one_comes_again_after_all_have_gone(pool: Any) -> None:
    crew = Crew(pool)
    for _ in range(50):
        done = threading.Event()
        crew.put(done.set)
        assert done.wait(PATIENCE)


def test_a_pool_that_has_ended_harms_nobody() -> None:
    pool = TaskPool(limit=2)
    crew, began, go_on, ended = Crew(pool), threading.Event(), threading.Event(), threading.Event()

    def slow() -> None:
        began.set()
        go_on.wait(PATIENCE)

    crew.put(slow)
    assert began.wait(PATIENCE)
    pool.executor.shutdown(wait=False, cancel_futures=True)
    crew.put(lambda: None)  # nobody can be called: whoever is there does it
    crew.put(ended.set)
    go_on.set()

    assert ended.wait(PATIENCE)


def test_a_pool_has_one_crew(pool: Any) -> None:
    assert crew_of(pool) is crew_of(pool)
