"""Where ids come from. Everything downstream of an event derives from the event's id."""

from __future__ import annotations

import os
import time
from uuid import UUID, uuid5

NAMESPACE = UUID("6f1ad1c2-5b0e-5a53-9a67-0c8a8f1c5f6e")
"""Our own uuid5 namespace; changing it would rename every foreign event and task."""


def uuid7() -> UUID:
    """A time-ordered UUID (RFC 9562 section 5.7): 48 bits of Unix milliseconds, then random bits.

    Rows made one after the other lie side by side in the primary key's index.
    """
    milliseconds = time.time_ns() // 1_000_000
    random = int.from_bytes(os.urandom(10))
    value = (milliseconds & 0xFFFF_FFFF_FFFF) << 80
    value |= 0x7 << 76 | (random >> 68 & 0xFFF) << 64
    value |= 0b10 << 62 | random & 0x3FFF_FFFF_FFFF_FFFF
    return UUID(int=value)


def foreign_event_id(event_type: str, subject: str, timestamp: str) -> UUID:
    """The id of an event that came without one: the same on every queue that received it."""
    return uuid5(NAMESPACE, f"event:{event_type}:{subject}:{timestamp}")


def task_id(event_id: UUID | str, consumer: str, message_id: str) -> UUID:
    """The Celery task id of one event at one consumer: two consumers never share a row."""
    return uuid5(NAMESPACE, f"task:{event_id}:{consumer}:{message_id}")
