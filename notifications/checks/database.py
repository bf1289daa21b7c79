"""The database: PostgreSQL, configured and pooled, each statement seeing what is committed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, Warning
from django.db import router
from psycopg import IsolationLevel

from notifications.models import Event

_TOO_ISOLATED = (IsolationLevel.REPEATABLE_READ, IsolationLevel.SERIALIZABLE)

WHO_WAITS_SEES = (
    "Who waits for another's lock is to see what that one did, or of many at once each would be "
    "the first: a recipient's limit, say, would stop nobody."
)


def check_database() -> Iterator[CheckMessage]:
    alias = router.db_for_write(Event)
    database = settings.DATABASES.get(alias, {})
    engine = database.get("ENGINE", "")
    if not engine or engine.endswith(".dummy"):
        yield _unconfigured(alias)
    elif "postgresql" not in engine:
        yield Error(
            f"DATABASES[{alias!r}] uses {engine}: claims and leases need PostgreSQL 14 or newer.",
            hint='Use "django.db.backends.postgresql".',
            id="notifications.E013",
        )
    elif not database.get("NAME") and "service" not in database.get("OPTIONS", {}):
        yield _unconfigured(alias)
    else:
        yield from _of_options(alias, database.get("OPTIONS", {}))


def _of_options(alias: str, options: Mapping[str, Any]) -> Iterator[CheckMessage]:
    if options.get("isolation_level") in _TOO_ISOLATED:
        yield Error(
            f"DATABASES[{alias!r}] sets an isolation_level above READ COMMITTED.",
            hint=f"Leave it out of OPTIONS. {WHO_WAITS_SEES}",
            id="notifications.E096",
        )
    if not options.get("pool"):
        yield Warning(
            f"DATABASES[{alias!r}] has no pool: each task would open a connection of its own.",
            hint='Add "pool": True (or its sizes) to OPTIONS.',
            id="notifications.W015",
        )


def _unconfigured(alias: str) -> CheckMessage:
    return Error(
        f"DATABASES[{alias!r}] names no database.",
        hint="Point it at a PostgreSQL server; the shop reads the environment's DATABASE_URL "
        "(postgresql://user@host/name).",
        id="notifications.E014",
    )
