"""When the relay looks: at once after a commit, and now and then in any case."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Event, Thread

import pytest
from django.db import connection, connections, transaction

from notifications import chores
from notifications.housekeeping import Chore
from notifications.models import Dispatch
from notifications.nudges import CHANNEL
from notifications.relay import Relay
from tests.integration import ledger
from tests.integration.ledger import all_published, record_orders
from tests.waiting import wait_for

NEVER = 3600.0

GoOn = Callable[[], bool]


@pytest.fixture(autouse=True)
def _ledger(transactional_db: None, aws: None) -> Iterator[None]:
    with ledger.registered():
        yield


@contextmanager
def relay_at_work(**options: float) -> Iterator[Relay]:
    relay = Relay(**options)

    def run() -> None:
        try:
            relay.run()
        finally:
            connections.close_all()

    thread = Thread(target=run)
    thread.start()
    try:
        yield relay
    finally:
        relay.stop()
        thread.join(timeout=10)
    assert not thread.is_alive()


def _listeners() -> list[int]:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pid FROM pg_stat_activity"
            " WHERE datname = current_database() AND query = %s AND state = 'idle'",
            [f"LISTEN {CHANNEL}"],
        )
        return [pid for (pid,) in cursor.fetchall()]


def test_a_commit_wakes_a_relay_that_would_not_look_for_an_hour() -> None:
    with relay_at_work(sweep=NEVER):
        wait_for(_listeners)
        record_orders(1)

        wait_for(all_published, within=5)


def test_without_a_nudge_the_sweep_finds_it() -> None:
    with relay_at_work(sweep=0.1):
        wait_for(_listeners)
        Dispatch.objects.create(
            kind="topic", destination="order-events", subject="order/1", body="{}"
        )

        wait_for(all_published, within=5)


def test_a_listener_that_was_cut_off_comes_back() -> None:
    with relay_at_work(sweep=NEVER):
        (lost,) = wait_for(_listeners)
        _terminate(lost)
        wait_for(lambda: [pid for pid in _listeners() if pid != lost])
        record_orders(1)

        wait_for(all_published, within=5)


def test_a_resting_relay_stops_at_once() -> None:
    with relay_at_work(sweep=NEVER) as relay:
        wait_for(_listeners)
        started = time.monotonic()
        relay.stop()

        wait_for(lambda: not _listeners())
    assert time.monotonic() - started < 10


def test_a_stop_is_told_to_all_its_threads_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each may be in the middle of a call that takes its time-out: one after another, their sum
    would outlast the grace period."""
    begun, second_told = Event(), Event()
    waited: list[bool] = []

    def first(*, using: str, go_on: GoOn) -> int:
        begun.wait(10)
        while go_on():
            pass
        waited.append(second_told.wait(5))
        return 0

    def second(*, using: str, go_on: GoOn) -> int:
        begun.set()
        while go_on():
            pass
        second_told.set()
        return 0

    prompt = Chore("waiting", 60, first), Chore("ending", 60, second)
    monkeypatch.setattr("notifications.relay.PROMPT", prompt)
    with relay_at_work(sweep=NEVER):
        wait_for(begun.is_set)
    assert waited == [True]


def test_while_the_schedule_is_worked_off_the_other_chores_go_on() -> None:
    """A million may be due at nine o'clock: that takes an hour, and dead letters are kept in it."""
    done = Event()

    def shops(*, using: str, go_on: GoOn) -> int:
        done.set()
        return 0

    chores.register(Chore("counting visitors", 0.1, shops))
    try:
        with relay_at_work(sweep=NEVER), transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("LOCK TABLE notifications_scheduledevent IN ACCESS EXCLUSIVE MODE")
            done.clear()
            assert done.wait(10)
    finally:
        chores.unregister("counting visitors")


def _terminate(pid: int) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_terminate_backend(%s, 5000)", [pid])
