"""The database server itself: whether it answers, takes the planned connections, and lets a
transaction see what it has waited for."""

from __future__ import annotations

from collections.abc import Iterator

from django.core.checks import CheckMessage, Error
from django.core.exceptions import ImproperlyConfigured
from django.db import Error as DatabaseError
from django.db import connections, router

from notifications import connection_budget
from notifications.checks.database import WHO_WAITS_SEES
from notifications.models import Event

PATIENCE = 5
"""Seconds that a server has to answer, at each of its addresses."""

_ISOLATED = """
    SELECT current_setting('default_transaction_isolation') IN ('repeatable read', 'serializable')
"""


def check_reachable() -> Iterator[CheckMessage]:
    """By a connection of its own: the pool would try for its whole time-out, and not say why."""
    alias = router.db_for_write(Event)
    own = connections[alias].copy()
    options = own.settings_dict["OPTIONS"]
    options.pop("pool", None)
    options.setdefault("connect_timeout", PATIENCE)
    try:
        own.ensure_connection()
    except ImproperlyConfigured:
        return  # it names no database: E014
    except DatabaseError as error:
        yield Error(
            f"DATABASES[{alias!r}] does not answer: {' '.join(str(error).split())}",
            hint="Start the server, or mend its address, user, password or name (the shop: "
            "DATABASE_URL). `manage.py check` without --database asks no server.",
            id="notifications.E095",
        )
    finally:
        own.close()


def check_connections() -> Iterator[CheckMessage]:
    """Of the plan, where there is one."""
    try:
        said = connection_budget.excess()
    except (ImproperlyConfigured, DatabaseError):
        return  # E014, E095
    if said:
        yield Error(said, hint=connection_budget.MEND, id="notifications.E065")


def check_isolation() -> Iterator[CheckMessage]:
    """As the server, this database, our role or the URL's own options have it."""
    alias = router.db_for_write(Event)
    try:
        with connections[alias].cursor() as cursor:
            cursor.execute(_ISOLATED)
            (isolated,) = cursor.fetchone()
    except (ImproperlyConfigured, DatabaseError):
        return  # E014, E095
    if isolated:
        yield Error(
            f"DATABASES[{alias!r}] has a default_transaction_isolation above READ COMMITTED.",
            hint="Set it back for our role or database (ALTER ROLE … RESET "
            f"default_transaction_isolation). {WHO_WAITS_SEES}",
            id="notifications.E096",
        )
