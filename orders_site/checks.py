"""What the shop cannot run without, said at start-up with the mend."""

from __future__ import annotations

import os
from typing import Any

from django.core.checks import CheckMessage, Error, Tags, register
from django.db import DEFAULT_DB_ALIAS, connections


@register(Tags.security)
def secret_key_is_set(**_: Any) -> list[CheckMessage]:
    if os.environ.get("DJANGO_SECRET_KEY"):
        return []
    return [
        Error(
            "DJANGO_SECRET_KEY is not set: sessions and forms cannot be signed.",
            hint=f"Run `manage.py local`, which makes one, or set it yourself. {_HOW_TO_MAKE_ONE}",
            id="shop.E001",
        )
    ]


@register(Tags.database)
def database_is_named(databases: list[str] | None = None, **_: Any) -> list[CheckMessage]:
    """For commands that say they use the database; `provision`, say, does not."""
    if DEFAULT_DB_ALIAS not in (databases or ()):
        return []
    settings = connections[DEFAULT_DB_ALIAS].settings_dict
    if settings["NAME"] or "service" in settings["OPTIONS"]:
        return []
    given = (
        "is no PostgreSQL URL with a database's name"
        if os.environ.get("DATABASE_URL")
        else "is not set"
    )
    return [
        Error(
            f"DATABASE_URL {given}.",
            hint="Run `manage.py local`, which starts a PostgreSQL, "
            "or set postgresql://user:password@host:5432/name.",
            id="shop.E002",
        )
    ]


_HOW_TO_MAKE_ONE = (
    "`python -c 'import secrets; print(secrets.token_urlsafe(50))'` prints a good one."
)
