"""The task that does nothing."""

from __future__ import annotations

import sys

from app import app, fill


@app.task(name="peer.empty")
def empty(text: str) -> None:
    """Nothing."""


if __name__ == "__main__":
    fill(empty, int(sys.argv[1]))
