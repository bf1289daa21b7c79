"""Announcement states: whether what is announced may still be sent, as this process last saw it.

Asked for each message of an announcement, and read from the database once a second for each
announcement at most. For any other message nothing is asked at all.
"""

from __future__ import annotations

import logging
import os
import threading
import time

from django.db import Error, connections, router

from notifications.envelope import Envelope
from notifications.models import Announcement

OLDEST = 1.0
"""Seconds."""

_MOST = 64
"""Announcements remembered; those of weeks ago come again only as retries."""

logger = logging.getLogger(__name__)


def is_paused(envelope: Envelope) -> bool:
    """Whether it is to go back to the outbox, until its announcement is resumed."""
    return _state(envelope) == Announcement.State.PAUSED


def is_cancelled(envelope: Envelope) -> bool:
    """Whether it is not to be sent any more. One that is kept no longer is over, not cancelled."""
    return _state(envelope) == Announcement.State.CANCELLED


def look_again() -> None:
    """This process has just moved one."""
    _known.forget()


def _state(envelope: Envelope) -> str:
    return _known.state_of(envelope.announcement) if envelope.announcement else ""


class _Known:
    """One thread reads, the others go on with what is known; only the first look is waited for."""

    def __init__(self) -> None:
        self._reading = threading.Lock()
        self._states: dict[int, tuple[str, float]] = {}

    def state_of(self, number: int) -> str:
        state, read_at = self._states.get(number, (None, 0.0))
        if state is not None and time.monotonic() < read_at + OLDEST:
            return state
        if self._reading.acquire(timeout=OLDEST if state is None else 0.0):
            try:
                self._read(number, state or "")
            finally:
                self._reading.release()
        return self._states.get(number, (state or "", 0.0))[0]

    def forget(self) -> None:
        self._states.clear()

    def _read(self, number: int, last: str) -> None:
        """While the database is away, what was known stands."""
        connection = connections[router.db_for_write(Announcement)]
        was_open = connection.connection is not None
        try:
            found = Announcement.objects.using(connection.alias).filter(pk=number)
            last = found.values_list("state", flat=True).first() or ""
        except Error as error:
            logger.warning("An announcement's state was not read: %s", type(error).__name__)
            was_open = connection.in_atomic_block
        finally:
            if not was_open:
                connection.close()
        if len(self._states) >= _MOST:
            self._states.clear()
        self._states[number] = last, time.monotonic()


_known = _Known()


def _start_anew_in_child() -> None:
    """A forked child must not wait for a lock that only its parent's thread would free."""
    global _known
    _known = _Known()


os.register_at_fork(after_in_child=_start_anew_in_child)
