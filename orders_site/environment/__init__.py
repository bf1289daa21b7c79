"""The environment: the only place where what differs between machines is said.

    from orders_site.environment import read

    WORKERS = read("WEB_CONCURRENCY")

Every variable has its line in `TABLE` (`orders_site.environment.table`), which says what it may
hold; `docs/settings.md` is that table. A value that cannot be read never raises here: its default
stands in for it, and the system check refuses to start (`orders_site.checks`), naming all of them.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from orders_site.environment.database import database
from orders_site.environment.table import BY_NAME

__all__ = ["database", "from_file", "load", "read"]

from_file: set[str] = set()
"""The names that `load` set in this process."""


def load(path: Path) -> None:
    """Set what `path` (lines of NAME=value) names and the environment does not."""
    if not path.is_file():
        return
    for line in os.fsdecode(path.read_bytes()).splitlines():
        name, separator, value = line.partition("=")
        name = name.strip()
        if separator and not line.startswith("#") and name not in os.environ:
            os.environ[name] = value.strip()
            from_file.add(name)


def read(name: str, environ: Mapping[str, str] = os.environ) -> Any:
    """What the variable of that name in TABLE holds, in its type; its default where it is not set,
    or holds what cannot be read. Raises KeyError for one that has no line there."""
    variable = BY_NAME[name]
    try:
        return variable.read(environ)
    except ValueError:
        return variable.default
