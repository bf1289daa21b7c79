"""Liveness: what a worker or a relay answers to who asks whether to restart it.

It is judged by what it knows itself, never by the database, SQS or a provider: while one of them
is away its processes are well, and wait. To restart the fleet for it would only make the return
harder (docs/decisions/0047-a-process-is-judged-by-itself.md).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from notifications.process_server import Answer

PATH = "/healthz"


def answer(why_dead: str, figures: Mapping[str, Any] | None = None) -> Answer:
    """What /healthz says: one line of JSON; 503 with the reason when it should be restarted."""
    told = {"alive": not why_dead, **({"why": why_dead} if why_dead else {}), **(figures or {})}
    return 503 if why_dead else 200, "application/json", f"{json.dumps(told)}\n".encode()
