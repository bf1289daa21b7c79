"""Open connections of a Django email backend, lent to one send at a time.

To open one costs more than a send: over STARTTLS, seven to nine round trips before the first word
of the email, which itself takes four. So it is kept, but not for long: a mail server hangs up on
whoever says nothing, and to find that out in the middle of a send would leave an outcome unknown.
"""

from __future__ import annotations

import os
import select
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.core.mail import get_connection

from notifications.unheard import unheard

KEPT = 10.0
"""Seconds that an unused connection is kept: less than any mail server waits (RFC 5321, 4.5.3.2.7,
asks for five minutes; Amazon SES hangs up after some ten seconds)."""


class MailConnections:
    """Backends of one class, made with the same options; an unused one is kept for `kept` seconds.
    Safe to use from many threads."""

    def __init__(self, backend: str, options: dict[str, Any], *, kept: float = KEPT) -> None:
        self._backend, self._options, self._kept = backend, options, kept
        self._lock = threading.Lock()
        self._idle: list[tuple[Any, float]] = []  # the one that was used last is lent first
        self._process = os.getpid()

    def make(self) -> Any:
        """A backend that is not open. Raises what is wrong with the path or the options."""
        return get_connection(self._backend, **self._options)

    def open(self) -> None:
        """See to it that one is open, for the next send. Raises what `backend.open()` does."""
        with self.lent():
            pass

    @contextmanager
    def lent(self) -> Iterator[Any]:
        """An open backend. It is kept when nothing goes wrong, and closed else."""
        backend = self._take() or self._opened()
        try:
            yield backend
        except BaseException:
            _close(backend)
            raise
        self._give_back(backend)

    def close(self) -> None:
        """Close those that nobody has."""
        with self._lock:
            idle, self._idle = self._idle, []
        for backend, _ in idle:
            _close(backend)

    def _opened(self) -> Any:
        backend = self.make()
        try:
            backend.open()
        except BaseException:
            _close(backend)
            raise
        return backend

    def _take(self) -> Any:
        while True:
            with self._lock:
                if self._process != os.getpid():  # a forked child: these are its parent's
                    self._process, self._idle = os.getpid(), []
                if not self._idle:
                    return None
                backend, since = self._idle.pop()
            if time.monotonic() - since < self._kept and not _has_something_to_say(backend):
                return backend
            _close(backend)

    def _give_back(self, backend: Any) -> None:
        with self._lock:
            self._idle.append((backend, time.monotonic()))


def _has_something_to_say(backend: Any) -> bool:
    """An SMTP server that speaks unasked says goodbye, or has hung up."""
    socket = getattr(getattr(backend, "connection", None), "sock", None)
    if socket is None:
        return False
    poll = select.poll()
    poll.register(socket, select.POLLIN)
    return bool(poll.poll(0))


def _close(backend: Any) -> None:
    """A goodbye that fails changes nothing."""
    with unheard():
        backend.close()
