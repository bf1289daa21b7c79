"""Outages: what the database raises while it is away, and how to reach it anew after that."""

from __future__ import annotations

from django.db import InterfaceError, InternalError, OperationalError, connections

DATABASE_AWAY = (OperationalError, InterfaceError, InternalError)
"""The server is gone, refuses, has no connection left, or only reads: after a failover that is
what we are still connected to, and psycopg calls it an InternalError (SQLSTATE 25006). A deadlock
or a timeout of one statement is among them: the first look finds the database well again."""


def leave_replica(error: BaseException) -> None:
    """Reconnect if this error says that the server only reads."""
    if isinstance(error, InternalError):
        reconnect()


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
