"""PollWatch: finds the poll that lasts longer than any answer can take.

botocore's read timeout is the silence between two bytes, so an answer that trickles holds its
thread for as long as it likes; so does a connection to the database whose other end is gone.
A queue whose only poll hangs so would never be polled again.
"""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field

from notifications.worker.polled import Polled

PATIENCE = 30.0
"""Seconds for each step of a poll that is not the receive: a few statements, one hand-over."""


@dataclass(slots=True, eq=False)
class OpenPoll:
    """One poll under way. slots: those it still answers for. due: when its step must be done."""

    polled: Polled
    slots: int
    due: float
    since: float = field(default_factory=time.monotonic)


class PollWatch:
    """Each poll leaves exactly once: when it ends, or when it is given up as hanging."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._open: set[OpenPoll] = set()

    def open(self, polled: Polled, slots: int) -> OpenPoll:
        """A poll begins, for which so many slots are reserved."""
        poll = OpenPoll(polled, slots, time.monotonic() + PATIENCE)
        with self._lock:
            self._open.add(poll)
        return poll

    def expect(self, poll: OpenPoll, seconds: float) -> None:
        """Its next step is done in `seconds`, or it hangs."""
        poll.due = time.monotonic() + seconds

    def spend(self, poll: OpenPoll, slots: int) -> bool:
        """The poll answers for so many slots no more. False when it has been given up."""
        with self._lock:
            if poll not in self._open:
                return False
            poll.slots -= slots
            return True

    def close(self, poll: OpenPoll) -> bool:
        """The poll has ended. False when it had been given up: it is accounted for."""
        with self._lock:
            was_open = poll in self._open
            self._open.discard(poll)
            return was_open

    def give_up_overdue(self) -> list[OpenPoll]:
        """Those that hang, which the caller accounts for."""
        now = time.monotonic()
        with self._lock:
            overdue = [poll for poll in self._open if poll.due < now]
            self._open.difference_update(overdue)
        return overdue
