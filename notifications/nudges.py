"""The nudge: PostgreSQL's NOTIFY, by which a commit wakes the relay before its next sweep."""

from __future__ import annotations

import logging
import threading
import time
from multiprocessing.connection import wait as wait_for
from socket import socket
from typing import Any

import psycopg
from django.db import connections

from notifications.outages import DATABASE_AWAY

logger = logging.getLogger(__name__)

CHANNEL = "notifications_outbox"
LISTEN = f"LISTEN {CHANNEL}"
THROTTLE = 0.03
"""Seconds between two nudges of one process. NOTIFY takes a lock over the whole database at
commit; a woken relay polls for a while anyway, so what comes in between is seen as soon."""

FIRST_RECONNECT, LONGEST_RECONNECT = 1.0, 30.0
"""Seconds between the listener's tries, doubled at each."""

_NOTICE_A_DEAD_PEER = {
    "connect_timeout": 3,
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
}

_lock = threading.Lock()
_quiet_until = 0.0


# A transaction that notifies is written to the log, and its commit waits for the disk as any
# other. A nudge that a crash loses costs nothing: the relay sweeps.
_NOTIFY = "SELECT pg_notify(%s, '')"
_NOTIFY_WITHOUT_DISK = "SELECT set_config('synchronous_commit', 'off', true), pg_notify(%s, '')"

_LISTENING = """
SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND query = %s
"""


def nudge(using: str = "default") -> None:
    """Wake the relays, unless this process has just done so.

    After a commit, in a transaction of its own. In somebody's transaction it is that one's commit
    that wakes them, and that waits for the disk as it would.
    """
    if not _is_first_for_a_while():
        return
    connection = connections[using]
    try:
        with connection.cursor() as cursor:
            cursor.execute(
                _NOTIFY if connection.in_atomic_block else _NOTIFY_WITHOUT_DISK, [CHANNEL]
            )
    except DATABASE_AWAY as error:
        if connection.in_atomic_block:
            raise  # it is lost, with whatever else is in it
        logger.warning(
            "The relays could not be woken (%s): they look by themselves within a second",
            type(error).__name__,
        )


def _is_first_for_a_while() -> bool:
    global _quiet_until
    with _lock:
        now = time.monotonic()
        if now < _quiet_until:
            return False
        _quiet_until = now + THROTTLE
        return True


def listen(using: str = "default") -> psycopg.Connection[Any]:
    """A connection that hears the nudges; a direct one: one of the pool would be handed on."""
    parameters = connections[using].get_connection_params()
    for name in ("cursor_factory", "context", "prepare_threshold"):  # Django's own, not libpq's
        parameters.pop(name, None)
    connection = psycopg.connect(**parameters | _NOTICE_A_DEAD_PEER, autocommit=True)
    connection.execute(LISTEN)
    return connection


def listening(using: str = "default") -> int:
    """How many relays are at work, as the server tells by the last statement of each connection:
    a listener says nothing but the one. What another role does is hidden."""
    with connections[using].cursor() as cursor:
        cursor.execute(_LISTENING, [LISTEN])
        (count,) = cursor.fetchone()
    return int(count)


class Listener:
    """Hears the nudges for a relay.

    Its loss costs nothing but speed: the relay sweeps anyway, and the listener comes
    back by itself.
    """

    def __init__(self, using: str = "default") -> None:
        self._using = using
        self._connection: psycopg.Connection[Any] | None = None
        self._retry_at = 0.0
        self._pause = FIRST_RECONNECT

    def wait(self, timeout: float, *, or_for: socket) -> bool:
        """Whether a nudge came within `timeout` seconds. Ends early when `or_for` is readable."""
        connection = self._connected()
        if connection is None:
            wait_for([or_for], min(timeout, self._retry_at - time.monotonic()))
            return False
        if connection.fileno() not in wait_for([connection.fileno(), or_for], timeout):
            return False
        try:
            return bool(list(connection.notifies(timeout=0)))
        except psycopg.Error as error:
            self._lost(error)
            return False

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _connected(self) -> psycopg.Connection[Any] | None:
        if self._connection is None and time.monotonic() >= self._retry_at:
            try:
                self._connection = listen(self._using)
                self._pause = FIRST_RECONNECT
            except psycopg.Error as error:
                self._lost(error)
        return self._connection

    def _lost(self, error: psycopg.Error) -> None:
        logger.warning(
            "The listener lost the database (%s); the relay sweeps, next try in %.0f s.",
            type(error).__name__,
            self._pause,
        )
        self.close()
        self._retry_at = time.monotonic() + self._pause
        self._pause = min(self._pause * 2, LONGEST_RECONNECT)
