"""What a forked child of the pool must not share with its parent."""

from __future__ import annotations

import os
from typing import Any

from django.db.backends.postgresql.base import DatabaseWrapper

_inherited: list[dict[str, Any]] = []


def forget_database_pools() -> None:
    """Let the child open connections of its own.

    The parent's pool came along, sockets and all: a child would speak on the parent's
    connections, and closing them would end the parent's sessions. So it is kept, untouched.
    (boto3's clients see to themselves, in `notifications.aws.clients`.)
    """
    pools: dict[str, Any] = DatabaseWrapper._connection_pools  # type: ignore[attr-defined]
    _inherited.append(dict(pools))
    pools.clear()


def set_up() -> None:
    """For a worker process, before its pool is made."""
    os.register_at_fork(after_in_child=forget_database_pools)
