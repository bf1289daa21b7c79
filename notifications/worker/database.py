"""While the database is away nothing is received: no message could be worked on or recorded."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from typing import Any

import psycopg
from django.db import DEFAULT_DB_ALIAS, connections

from notifications import outages
from notifications.exceptions import TransientError
from notifications.worker.backoff import back_off
from notifications.worker.threads import Threads

logger = logging.getLogger(__name__)

UNAVAILABLE = outages.DATABASE_AWAY

FIRST_BACK_OFF, LONGEST_BACK_OFF = 0.2, 5.0
CONNECT_TIMEOUT = 3  # seconds


class DatabaseUnavailable(TransientError):
    """A task's database was away. Costs no attempt."""

    default_code = "database_unavailable"


class DatabaseWatch:
    """Looks after the database once somebody has missed it, until it is back."""

    def __init__(self, on_lost: Callable[[], None], on_back: Callable[[], None]) -> None:
        self._on_lost = on_lost
        self._on_back = on_back
        self._lock = threading.Lock()
        self._looking = False
        self._closed = threading.Event()
        self._threads = Threads("database", most=1)

    def look(self) -> None:
        """Stop receiving until the database answers. From any thread; returns at once."""
        with self._lock:
            if self._looking or self._closed.is_set():
                return
            self._looking = True
        self._on_lost()
        self._threads.submit(self._wait_until_back)

    def close(self) -> None:
        self._closed.set()
        self._threads.wait_until_idle(1.0)
        self._threads.close()

    def _wait_until_back(self) -> None:
        try:
            self._look_until_back()
            outages.reconnect()
        finally:  # or nothing would be received any more, and nobody would look
            try:
                self._on_back()  # before anybody may stop it anew
            finally:
                with self._lock:
                    self._looking = False

    def _look_until_back(self) -> None:
        since, failures, said = time.monotonic(), 0, ""
        while not self._closed.is_set():
            reason = why_unreachable()
            if not reason:
                break
            failures += 1
            if failures == 1:
                logger.error(
                    "The database is away, nothing is received until it is back: %s", reason
                )
            elif reason != said:
                logger.error("The database is still away: %s", reason)
            said = reason
            self._closed.wait(back_off(failures, FIRST_BACK_OFF, LONGEST_BACK_OFF))
        if failures and not self._closed.is_set():
            logger.warning("The database is back after %.0f s", time.monotonic() - since)


def why_unreachable() -> str:
    """The class of the error that a write would meet, or nothing.

    On a connection of its own: the pool's would be waited for, and tell of the pool. Whatever a
    look ends with (a name that does not resolve, no file descriptor left, a setting that changed)
    a write would meet as well.
    """
    try:
        parameters: dict[str, Any] = connections[DEFAULT_DB_ALIAS].get_connection_params()
        with psycopg.connect(**{**parameters, "connect_timeout": CONNECT_TIMEOUT}) as connection:
            row = connection.execute("SHOW transaction_read_only").fetchone()
    except Exception as error:  # noqa: BLE001 - it is said, and the next look may go better
        return type(error).__name__
    return "ReadOnlySqlTransaction" if row == ("on",) else ""
