"""The database connections that the threads of a process share."""

from __future__ import annotations

from django.db import connections, router

from notifications.models import Delivery


def lend_connection() -> None:
    """Others may use this thread's connection while it waits for its turn or for a provider: a
    channel that hangs must not empty the pool for those that do not."""
    connection = connections[router.db_for_write(Delivery)]
    if getattr(connection, "pool", None) and not connection.in_atomic_block:
        connection.close()
