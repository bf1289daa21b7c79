"""Advisory locks of PostgreSQL, by which one process does what every process could do."""

from __future__ import annotations

from django.db import connections


def lock_for_transaction(name: str, *, using: str) -> bool:
    """Whether `name` is ours until this transaction ends; never waits for who has it.

    It goes with the transaction, not with the session, so a transaction pooler may stand between.
    """
    with connections[using].cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_xact_lock(hashtextextended(%s, 0))", [name])
        return bool(cursor.fetchone()[0])
