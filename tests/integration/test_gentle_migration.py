"""Migrating a database that orders are written to: nobody waits for long, and nothing fails."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Iterator
from urllib.parse import urlsplit

import psycopg
import pytest
from django.core.management import CommandError, call_command
from django.db import connections
from psycopg import sql
from pytest_django.plugin import DjangoDbBlocker

from notifications.gentle_migration import LOCK
from notifications.identifiers import uuid7
from notifications.local.ports import free_port
from notifications.local.stack import Stack
from tests.conftest import Start
from tests.waiting import wait_for

FROM = "0013"
"""Before the columns that deliveries and attempts got while shops were at work."""

ROWS = 20_000
LOCK_TIMEOUT = 0.3

LONGEST = LOCK_TIMEOUT + 1.2
"""Seconds that a write may take: the timeout, and a busy machine."""

_EVENTS = """
INSERT INTO notifications_event
    (id, type, version, source, subject, time, data, traceparent, "foreign", expected)
SELECT
    gen_random_uuid(), 'order.created', 1, 'urn:test', 'order/' || n, now(), '{}', '', FALSE, '{}'
FROM generate_series(1, %s) AS n
"""
_DELIVERIES = """
INSERT INTO notifications_delivery (
    id, event_id, event_type, event_time, subject, channel, route, recipient, address,
    address_hash, state, reason, generation, attempts, last_error, provider_message_id, updated_at
)
SELECT gen_random_uuid(), id, type, time, subject, 'email', 'email', 'customer/1', '', '', 'failed',
    'refused', 0, 1, '', '', now()
FROM notifications_event
"""
_ORDER = """
WITH event AS (
    INSERT INTO notifications_event
        (id, type, version, source, subject, time, data, traceparent, "foreign", expected)
    VALUES (%(id)s, 'order.created', 1, 'urn:test', 'order/0', now(), '{}', '', FALSE, '{}')
)
INSERT INTO notifications_delivery (
    id, event_id, event_type, event_time, subject, channel, route, recipient, address,
    address_hash, state, reason, generation, attempts, last_error, provider_message_id, updated_at
) VALUES (%(id)s, %(id)s, 'order.created', now(), 'order/0', 'email', 'email', 'customer/1', '', '',
    'sent', '', 0, 1, '', '', now())
"""


@pytest.fixture
def database(stack: Stack) -> Iterator[str]:
    """An empty database beside the tests' own: its URL."""
    server = stack.environment["DATABASE_URL"]
    name = "gentle_migration"
    _admin(server, "DROP DATABASE IF EXISTS {} WITH (FORCE)", name)
    _admin(server, "CREATE DATABASE {}", name)
    yield urlsplit(server)._replace(path=f"/{name}").geturl()
    _admin(server, "DROP DATABASE {} WITH (FORCE)", name)


def _admin(server: str, statement: str, name: str) -> None:
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(sql.SQL(statement).format(sql.Identifier(name)))


class Traffic:
    """The writes of yesterday's processes, from two threads: how long each took, what failed."""

    def __init__(self, url: str) -> None:
        self.seconds: list[float] = []
        self.errors: list[str] = []
        self._url, self._over = url, threading.Event()
        self._threads = [threading.Thread(target=self._write) for _ in range(2)]

    def __enter__(self) -> Traffic:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join()

    def _write(self) -> None:
        with psycopg.connect(self._url, autocommit=True) as connection:
            while not self._over.is_set():
                began = time.monotonic()
                try:
                    connection.execute(_ORDER, {"id": uuid7()})
                except psycopg.Error as error:
                    self.errors.append(str(error))
                self.seconds.append(time.monotonic() - began)


def test_orders_go_on_while_all_that_came_since_is_migrated(database: str, start: Start) -> None:
    def manage(*words: str, ready: str = "") -> Callable[[], str]:
        child = start(
            [sys.executable, "manage.py", *words],
            name=words[0],
            ready=ready,
            DATABASE_URL=database,
        )
        return lambda: child.log

    manage("migrate", "notifications", FROM, "-v", "1", ready=f"{FROM}_webhook_endpoints... OK")
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute(_EVENTS, [ROWS])
        connection.execute(_DELIVERIES)
        # What a build that was broken off leaves behind, and somebody who migrates, too.
        connection.execute("CREATE INDEX attempt_by_start ON notifications_attempt (started_at)")
        connection.execute(
            "UPDATE pg_index SET indisvalid = FALSE WHERE indexrelid = 'attempt_by_start'::regclass"
        )
        connection.execute("SELECT pg_advisory_lock(%s)", [LOCK])
        gentle = ("migrate_gently", "notifications", "--lock-timeout", str(LOCK_TIMEOUT))
        gentle += ("--pause", "0.3")
        with Traffic(database) as traffic:
            log = manage(*gentle, "-v", "1", ready="somebody else migrates")
            with psycopg.connect(database) as report:
                report.execute("SELECT count(*) FROM notifications_delivery")
                connection.execute("SELECT pg_advisory_unlock(%s)", [LOCK])
                wait_for(lambda: "not now: the oldest transaction is" in log(), within=30)
            wait_for(lambda: "0028_told_progress... OK" in log(), within=60)
        valid = connection.execute(
            "SELECT indisvalid FROM pg_index WHERE indexrelid = 'attempt_by_start'::regclass"
        ).fetchone()
        unknown = connection.execute(
            "SELECT count(*) FROM notifications_delivery "
            "WHERE state = 'failed' AND fingerprint = ''"
        ).fetchone()

    assert not traffic.errors
    assert max(traffic.seconds) < LONGEST
    assert len(traffic.seconds) > 200
    assert valid == (True,)
    assert unknown == (0,)


def test_a_database_that_is_away_is_told_in_a_sentence(
    monkeypatch: pytest.MonkeyPatch, django_db_blocker: DjangoDbBlocker
) -> None:
    default = connections.settings["default"]
    options = {name: value for name, value in default["OPTIONS"].items() if name != "pool"}
    away = {**default, "PORT": free_port(), "OPTIONS": options}
    monkeypatch.setitem(connections.settings, "away", away)
    refused = r"^The database refuses: .*[Cc]onnection refused"
    with django_db_blocker.unblock(), pytest.raises(CommandError, match=refused):
        call_command("migrate_gently", database="away")
