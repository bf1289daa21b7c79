"""A database that is away for one process, while the test itself may use it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
from django.db import connection
from psycopg import sql

from notifications.local.stack import Stack


@contextmanager
def database_closed_to(application: str, stack: Stack) -> Iterator[None]:
    """The application of that name is thrown out of the test's database, and nobody let in."""
    name = connection.settings_dict["NAME"]
    with psycopg.connect(stack.environment["DATABASE_URL"], autocommit=True) as outside:
        allow = sql.SQL("ALTER DATABASE {} ALLOW_CONNECTIONS {}")
        outside.execute(allow.format(sql.Identifier(name), sql.SQL("false")))
        outside.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = %s",
            [application],
        )
        try:
            yield
        finally:
            outside.execute(allow.format(sql.Identifier(name), sql.SQL("true")))
