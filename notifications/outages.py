"""Outages: what the database raises while it is away, and how to reach it anew after that."""

from __future__ import annotations

from django.db import InterfaceError, InternalError, OperationalError, connections
from django.db.backends.base.base import BaseDatabaseWrapper

DATABASE_AWAY = (OperationalError, InterfaceError, InternalError)
"""The server is gone, refuses, has no connection left, or only reads: after a failover that is
what we are still connected to, and psycopg calls it an InternalError (SQLSTATE 25006). A deadlock
or a timeout of one statement is among them: the first look finds the database well again."""


def leave_replica(error: BaseException) -> None:
    """Reconnect if this error says that the server only reads."""
    if isinstance(error, InternalError):
        reconnect()


def renew_after(error: BaseException) -> None:
    """Reconnect if this error says that the server only reads, or if one connection has broken: the
    server has ended the others as well, and each would fail whoever comes next."""
    broken = any(_is_broken(each) for each in connections.all(initialized_only=True))
    if broken or isinstance(error, InternalError):
        reconnect()


def _is_broken(connection: BaseDatabaseWrapper) -> bool:
    return connection.connection is not None and bool(connection.connection.closed)


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
