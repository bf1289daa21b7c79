"""The database connections that the threads of a process share."""

from __future__ import annotations

import logging

from django.db import connections, router

from notifications.models import Delivery

logger = logging.getLogger(__name__)


def lend_connection() -> None:
    """Others may use this thread's connection while it waits for its turn or for a provider: a
    channel that hangs must not empty the pool for those that do not."""
    connection = connections[router.db_for_write(Delivery)]
    if getattr(connection, "pool", None) and not connection.in_atomic_block:
        connection.close()


def warn_of_too_few(threads: int) -> None:
    """Say so in the log if the pool has not a connection for each of so many threads."""
    alias = router.db_for_write(Delivery)
    pool = getattr(connections[alias], "pool", None)
    if pool and pool.max_size < threads:
        logger.warning(
            "DATABASES[%r] pools %d connections for %d threads: a task that waits %.0f s for one "
            "takes the database for away, and nothing is received meanwhile. Set "
            '"pool": {"max_size": %d} in its OPTIONS, or start the worker with -c %d',
            alias,
            pool.max_size,
            threads,
            pool.timeout,
            threads,
            pool.max_size,
        )
