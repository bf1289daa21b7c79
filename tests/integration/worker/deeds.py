"""Deeds: what a task does in one receive of an event, as the test says."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any
from uuid import UUID

from notifications.envelope import Envelope

Deed = Callable[[], None]
_deeds: dict[UUID, Deed] = {}


def do(envelope: Envelope) -> None:
    """The body of a test's task."""
    _deeds[envelope.id]()


def receive(task: Any, event: Envelope, deed: Deed, *, receives: int = 2) -> None:
    """One receive of the event by this task, which does that."""
    _deeds[event.id] = deed
    headers: dict[str, Any] = {"consumer": "email", "queue": "email", "fifo": False}
    headers |= {"receive_count": receives, "sent_at": time.time()}
    task.push_request(headers=headers, retries=0)
    try:
        task(event)
    finally:
        task.pop_request()
