"""Patience: a page asks the database for so long and no longer."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import OperationalError, connections, transaction
from psycopg.errors import QueryCanceled

SECONDS = 10


class TookTooLong(Exception):
    """A statement was called off; nothing was read."""


@contextmanager
def patience(*, using: str, seconds: float = SECONDS) -> Iterator[None]:
    """Each statement within takes `seconds` at the most. Raises TookTooLong."""
    try:
        with transaction.atomic(using=using):
            with connections[using].cursor() as cursor:
                cursor.execute(
                    "SELECT set_config('statement_timeout', %s, true)", [f"{seconds * 1000:.0f}ms"]
                )
            yield
    except OperationalError as error:
        if isinstance(error.__cause__, QueryCanceled):
            raise TookTooLong from error
        raise
