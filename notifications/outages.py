"""Outages: what the database raises while it is away, and how to reach it anew after that."""

from __future__ import annotations

import psycopg
from django.db import InterfaceError, InternalError, OperationalError, connections
from psycopg_pool import PoolTimeout

DATABASE_AWAY = (OperationalError, InterfaceError, InternalError)
"""The server is gone, refuses, has no connection left, or only reads: after a failover that is
what we are still connected to, and psycopg calls it an InternalError (SQLSTATE 25006). A deadlock
or a timeout of one statement is among them: the first look finds the database well again."""

_OF_THE_STATEMENT = ("25P02", "54")
"""How those of their SQLSTATEs begin that are a fault of who asks (PostgreSQL, "Error Codes"): to
go on in a transaction in which a statement has failed, and to exceed a limit, of an index's row,
say. However well the server is, it answers the same again."""

_CALLED_OFF = frozenset({"57014", "55P03", "25P03", "25P04"})
"""SQLSTATEs of a statement or transaction that took too long by a setting (statement_timeout,
lock_timeout, idle_in_transaction_session_timeout, transaction_timeout) or by somebody's command."""

_ENDED = (None, "57P01", "57P02")
"""SQLSTATEs with which a server ends a connection (PostgreSQL, "Error Codes", class 57: by an
administrator, by a crash); None: it went without a word."""


def is_away(error: BaseException) -> bool:
    """Whether the database is away, by what another's code (a shop's task or hook) has raised."""
    state = getattr(error.__cause__, "sqlstate", None) or ""
    return isinstance(error, DATABASE_AWAY) and not state.startswith(_OF_THE_STATEMENT)


def called_off(error: BaseException) -> bool:
    """Whether the database is there, and took this one for too long. It is `is_away` all the same:
    whose fault it is, the error does not tell (`notifications.worker.neighbours`)."""
    state = getattr(error.__cause__, "sqlstate", None)
    return isinstance(error, DATABASE_AWAY) and state in _CALLED_OFF


def leave_replica(error: BaseException) -> None:
    """Reconnect if this error says that the server only reads."""
    if isinstance(error, InternalError):
        reconnect()


def renew_after(error: BaseException) -> None:
    """Reconnect if this error says that the server only reads, or that it has ended a connection:
    it has ended the others as well, and each would fail whoever comes next.

    The error is asked, not the connection: of one that broke in a transaction Django keeps none.
    """
    if isinstance(error, InternalError) or _has_ended(error.__cause__):
        reconnect()


def _has_ended(cause: BaseException | None) -> bool:
    """A pool that finds no connection in time has none to be closed."""
    return (
        isinstance(cause, psycopg.Error)
        and not isinstance(cause, PoolTimeout)
        and cause.sqlstate in _ENDED
    )


def reconnect() -> None:
    """Let this process talk to the database on new connections only.

    A connection to a server that has become a replica answers, so nobody else would close it:
    idle ones are closed here, those in use when they come back to the pool.
    """
    for connection in connections.all(initialized_only=True):
        if connection.in_atomic_block:
            continue  # its owner's to end; it comes back broken
        connection.close()
        if pool := getattr(connection, "pool", None):
            pool.drain()
