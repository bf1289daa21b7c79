"""Insistence: what a provider answered must not be lost with a database connection."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

from django.db import connections

from notifications.outages import DATABASE_AWAY, leave_replica

RECORD_WITHIN = 10.0
"""Seconds for which a result is offered to a database that is away."""

PAUSE = 0.1
"""Seconds between two tries."""

_T = TypeVar("_T")


def insist(write: Callable[[], _T], *, using: str) -> _T:
    """What `write` returns, if need be by another try on a fresh connection, for a while.

    Within somebody's transaction there is one try: it is lost with its connection.
    """
    connection = connections[using]
    deadline = time.monotonic() + RECORD_WITHIN
    while True:
        try:
            return write()
        except DATABASE_AWAY as error:
            if connection.in_atomic_block or time.monotonic() >= deadline:
                raise
            connection.close()
            leave_replica(error)
            time.sleep(PAUSE)
