"""Files of environment variables, lines of NAME=value, that only their owner reads.

Paths stand in them, so they are read and written as paths are, whatever the locale.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path


def read(path: Path) -> dict[str, str]:
    """What the file holds; nothing when there is none."""
    try:
        lines = os.fsdecode(path.read_bytes()).splitlines()
    except FileNotFoundError:
        return {}
    return dict(line.split("=", 1) for line in lines if "=" in line)


def write(path: Path, values: Mapping[str, str]) -> None:
    """Replace the file in one step."""
    draft = path.with_name(f"{path.name}.{os.getpid()}")
    lines = "".join(f"{name}={value}\n" for name, value in values.items())
    try:
        draft.touch(mode=0o600)
        draft.write_bytes(os.fsencode(lines))
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)  # it holds secrets, and the disk may be full
