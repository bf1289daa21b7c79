"""The nudge: PostgreSQL's NOTIFY, by which a commit wakes the relay before its next sweep."""

from __future__ import annotations

import threading
import time

from django.db import connections

CHANNEL = "notifications_outbox"
THROTTLE = 0.03
"""Seconds between two nudges of one process. NOTIFY takes a lock over the whole database at
commit; a woken relay polls for a while anyway, so what comes in between is seen as soon."""

_lock = threading.Lock()
_quiet_until = 0.0


def nudge(using: str = "default") -> None:
    """Wake the relays, unless this process has just done so."""
    if _is_first_for_a_while():
        with connections[using].cursor() as cursor:
            # One statement, one transaction, nothing in it worth waiting for the disk.
            cursor.execute(
                "SELECT set_config('synchronous_commit', 'off', true), pg_notify(%s, '')",
                [CHANNEL],
            )


def _is_first_for_a_while() -> bool:
    global _quiet_until
    with _lock:
        now = time.monotonic()
        if now < _quiet_until:
            return False
        _quiet_until = now + THROTTLE
        return True
