"""Gentle migration: `migrate` beside traffic, which waits for nobody while others wait for it.

An ALTER TABLE takes a moment, but needs the table for itself: behind one long transaction it waits,
and behind it everything waits that comes after. So it gives up after `lock_timeout`, lets the
others through, and tries again. Building an index concurrently blocks nobody, and may wait.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from django.core.management import call_command
from django.db import OperationalError, connections
from django.db.backends.base.base import BaseDatabaseWrapper
from psycopg import errors

from notifications.exceptions import NotificationError

LOCK_TIMEOUT = 2.0
"""Seconds for which traffic may stand behind a migration that waits."""

TRIES, PAUSE = 60, 5.0
"""Five minutes at least: longer than most transactions."""

LOCK = 0x6D69_6772_6174_65
"""The advisory lock of whoever migrates ("migrate"): several may start at once, one migrates."""

_GIVEN_UP = (errors.LockNotAvailable, errors.DeadlockDetected)
_INDEX = re.compile(
    r"(?P<verb>CREATE(?: UNIQUE)?|DROP) INDEX(?P<concurrently> CONCURRENTLY)?"
    r'(?P<safely> IF (?:NOT )?EXISTS)? "(?P<name>[^"]+)"'
)
_OLDEST = """
SELECT pid, coalesce(nullif(application_name, ''), usename, ''), state,
    extract(epoch FROM statement_timestamp() - xact_start)::int
FROM pg_stat_activity
WHERE datname = current_database() AND pid <> pg_backend_pid() AND xact_start IS NOT NULL
ORDER BY xact_start LIMIT 1
"""

Tell = Callable[[str], object]


class Blocked(NotificationError):
    """The lock was not to be had, as often as it was tried. What was applied stays."""

    default_code = "migration_blocked"


def migrate(
    *targets: str,
    using: str = "default",
    lock_timeout: float = LOCK_TIMEOUT,
    tries: int = TRIES,
    pause: float = PAUSE,
    tell: Tell,
    **options: Any,
) -> None:
    """`manage.py migrate *targets`, again until it is through. lock_timeout, pause: seconds.

    tell: told of each try that was in vain, and who was in the way. Raises Blocked.
    """
    connection = connections[using]
    with _alone(connection, tell), connection.execute_wrapper(_Index(lock_timeout)):
        for left in reversed(range(tries)):
            _set_lock_timeout(connection, lock_timeout)
            try:
                call_command("migrate", *targets, database=using, interactive=False, **options)
            except OperationalError as error:
                if not isinstance(error.__cause__, _GIVEN_UP):
                    raise
                tell(f"not now: {_in_the_way(connection)}")
                if not left:
                    raise Blocked(f"tried {tries} times; {_in_the_way(connection)}") from error
                time.sleep(pause)
            else:
                return


class _Index:
    """Has an index built or dropped as though for the first time: what is there is left, what a
    build that was broken off has left is dropped, and who builds concurrently waits for ever."""

    def __init__(self, lock_timeout: float) -> None:
        self._lock_timeout = lock_timeout

    def __call__(
        self, execute: Callable[..., Any], sql: Any, params: Any, many: bool, context: Any
    ) -> Any:
        found = _INDEX.match(sql) if isinstance(sql, str) else None
        if found is None or found["safely"]:
            return execute(sql, params, many, context)
        connection: BaseDatabaseWrapper = context["connection"]
        safely = " IF EXISTS" if found["verb"] == "DROP" else " IF NOT EXISTS"
        at = found.end("concurrently") if found["concurrently"] else found.end("verb") + 6
        sql = f"{sql[:at]}{safely}{sql[at:]}"
        if not found["concurrently"]:
            return execute(sql, params, many, context)
        _set_lock_timeout(connection, 0)
        try:
            _drop_invalid(connection, found["name"])
            return execute(sql, params, many, context)
        finally:
            _set_lock_timeout(connection, self._lock_timeout)


@contextmanager
def _alone(connection: BaseDatabaseWrapper, tell: Tell) -> Iterator[None]:
    """Asked for again and again, not waited for: an index that is built concurrently waits for
    every statement that has begun, and so would the two wait for each other."""
    said = False
    while not _value(connection, "SELECT pg_try_advisory_lock(%s)", [LOCK]):
        if not said:
            tell("somebody else migrates: waiting for them")
            said = True
        time.sleep(1.0)
    try:
        yield
    finally:
        if connection.connection is not None:
            _value(connection, "SELECT pg_advisory_unlock(%s)", [LOCK])


def _set_lock_timeout(connection: BaseDatabaseWrapper, seconds: float) -> None:
    milliseconds = f"{seconds * 1000:.0f}ms"
    _value(connection, "SELECT set_config('lock_timeout', %s, FALSE)", [milliseconds])


def _drop_invalid(connection: BaseDatabaseWrapper, name: str) -> None:
    invalid = _value(
        connection,
        "SELECT count(*) FROM pg_index JOIN pg_class ON pg_class.oid = indexrelid "
        "WHERE relname = %s AND NOT indisvalid AND pg_table_is_visible(pg_class.oid)",
        [name],
    )
    if invalid:
        quoted = connection.ops.quote_name(name)
        with connection.cursor() as cursor:
            cursor.execute(f"DROP INDEX CONCURRENTLY IF EXISTS {quoted}")


def _in_the_way(connection: BaseDatabaseWrapper) -> str:
    """Who has had a transaction open for longest; not what it says, which may name somebody."""
    with connection.cursor() as cursor:
        cursor.execute(_OLDEST)
        row = cursor.fetchone()
    if row is None:
        return "another transaction held the table for a moment"
    pid, name, state, seconds = row
    return f"the oldest transaction is that of {name}, pid {pid}, {state} for {seconds} s"


def _value(connection: BaseDatabaseWrapper, statement: str, parameters: list[Any]) -> Any:
    with connection.cursor() as cursor:
        cursor.execute(statement, parameters)
        return cursor.fetchone()[0]
