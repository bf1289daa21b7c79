"""Unheard: what may fail, because whoever needs it meets the same error, and is the one to tell.

with unheard():
    adapter.prepare()
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from celery.exceptions import SoftTimeLimitExceeded


@contextmanager
def unheard() -> Iterator[None]:
    """No error goes past it, but for the end of a task's soft time limit, which comes once."""
    try:
        yield
    except SoftTimeLimitExceeded:
        raise
    except Exception:  # noqa: BLE001, S110 - see above
        pass
