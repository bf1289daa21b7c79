"""What a forked child of the pool must not share with its parent."""

from __future__ import annotations

import os
from typing import Any

from celery import Celery, signals
from celery.fixups.django import DjangoFixup
from django.db.backends.postgresql.base import DatabaseWrapper

from notifications import spans

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


def keep_pools_between_tasks(app: Celery) -> None:
    """Let a child return its connection to its pool after a task, as a thread does.

    Celery closes a child's whole pool after every task, in case it came along with the fork:
    4 ms each time, and needless after the above.
    """
    for fixup in app._fixups:  # type: ignore[attr-defined]
        if isinstance(fixup, DjangoFixup):
            fixup.worker_fixup._is_prefork = lambda: False


def set_up(app: Celery) -> None:
    """For a worker process of this app, before its pool is made."""
    os.register_at_fork(after_in_child=forget_database_pools)
    keep_pools_between_tasks(app)
    # A child of the pool ends without the interpreter's own goodbye, and so does a worker that
    # begins anew.
    for signal in (signals.worker_process_shutdown, signals.worker_shutdown):
        signal.connect(_hand_over_spans, weak=False)


def _hand_over_spans(**_: Any) -> None:
    spans.close()
