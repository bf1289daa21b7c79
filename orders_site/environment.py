"""Settings come from the environment; `.local/env` (while `manage.py local` runs) fills gaps."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from psycopg import ProgrammingError
from psycopg.conninfo import conninfo_to_dict


def load(path: Path) -> None:
    """Set what `path` (lines of NAME=value) names and the environment does not."""
    if not path.is_file():
        return
    for line in path.read_text().splitlines():
        name, separator, value = line.partition("=")
        if separator and not line.startswith("#"):
            os.environ.setdefault(name.strip(), value.strip())


def words(name: str) -> tuple[str, ...] | None:
    """What the variable holds, split at white space; None when it is not set."""
    value = os.environ.get(name)
    return None if value is None else tuple(value.split())


def database(url: str, *, pool_size: int) -> dict[str, Any]:
    """Django's DATABASES entry for a PostgreSQL URL; a nonsense URL is left to the system check."""
    try:
        parts: dict[str, Any] = dict(conninfo_to_dict(url))
    except ProgrammingError:
        parts = {}
    return {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": parts.pop("dbname", ""),
        "USER": parts.pop("user", ""),
        "PASSWORD": parts.pop("password", ""),
        "HOST": parts.pop("host", ""),
        "PORT": parts.pop("port", ""),
        # A connection "closed" around a task goes back to the pool.
        "OPTIONS": {
            **parts,
            "pool": {
                "min_size": 0,
                "max_size": pool_size,
                "timeout": 10,
                "reconnect_timeout": 5,  # its own pause between tries would grow to minutes
            },
        },
    }
