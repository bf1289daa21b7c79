"""Django's DATABASES entry, from a URL."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from psycopg import ProgrammingError
from psycopg.conninfo import conninfo_to_dict


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
            "fallback_application_name": process_name(sys.argv),  # PGAPPNAME goes before
            # A server that is gone without a word is noticed within a minute, in the midst of a
            # statement, too; the URL may say otherwise.
            "keepalives_idle": 30,
            "keepalives_interval": 10,
            "keepalives_count": 3,
            "tcp_user_timeout": 60_000,
            **parts,
            "pool": {
                "min_size": 0,
                "max_size": pool_size,
                "timeout": 10,
                "reconnect_timeout": 5,  # its own pause between tries would grow to minutes
            },
        },
    }


def process_name(arguments: Sequence[str]) -> str:
    """How the database's own list (pg_stat_activity) calls the connections of this process, by its
    command line: "shop web", "shop relay", "shop worker", "shop manage.py migrate"."""
    program, *rest = arguments or [""]
    path = Path(program)
    name = path.parent.name if path.name == "__main__.py" else path.name
    match name, rest:
        case "gunicorn", _:
            return "shop web"
        case "celery", _ if "worker" in rest:
            return "shop worker"
        case "manage.py", ["relay", *_]:
            return "shop relay"
        case "manage.py", [command, *_]:
            return f"shop manage.py {command}"
    return f"shop {name}"
