"""The secrets of a checkout, made once."""

from __future__ import annotations

import secrets
from pathlib import Path

from notifications.local import variables

NAMES = ("DJANGO_SECRET_KEY", "ADDRESS_HASH_KEY", "ENCRYPTION_KEY")
"""Rows depend on them (hashes, sealed addresses, sessions): they must stay as long as the
database does."""


def keys(path: Path) -> dict[str, str]:
    """What `path` holds, completed with what it lacks."""
    known = variables.read(path)
    found = {name: known.get(name) or secrets.token_urlsafe(48) for name in NAMES}
    if found != known:
        variables.write(path, found)
    return found
