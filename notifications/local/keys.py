"""The secrets of a checkout, made once and kept in a file that only its owner reads."""

from __future__ import annotations

import secrets
from pathlib import Path

NAMES = ("DJANGO_SECRET_KEY", "ADDRESS_HASH_KEY")
"""Rows depend on them (hashes, sessions): they must stay as long as the database does."""


def keys(path: Path) -> dict[str, str]:
    """What `path` holds (lines of NAME=value), completed with what it lacks."""
    path.touch(mode=0o600)
    known = dict(line.split("=", 1) for line in path.read_text().splitlines() if "=" in line)
    found = {name: known.get(name) or secrets.token_urlsafe(48) for name in NAMES}
    if found != known:
        path.write_text("".join(f"{name}={value}\n" for name, value in found.items()))
    return found
