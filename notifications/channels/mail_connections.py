"""Open connections of a Django email backend, lent to one send at a time.

To open one costs more than a send: over STARTTLS, seven to nine round trips before the first word
of the email, which itself takes four. So it is kept, but not for long: a mail server hangs up on
whoever says nothing, and to find that out in the middle of a send would leave an outcome unknown.

Both have an end, to open one and to use it: a backend's own time-out is one for each step.
"""

from __future__ import annotations

import os
import select
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from queue import Empty, SimpleQueue
from typing import Any

from django.core.mail import get_connection

from notifications.channels.base import CONNECT_TIMEOUT
from notifications.channels.bounded_socket import BoundedSocket, Deadline
from notifications.unheard import unheard

KEPT = 10.0
"""Seconds that an unused connection is kept: less than any mail server waits (RFC 5321, 4.5.3.2.7,
asks for five minutes; Amazon SES hangs up after some ten seconds)."""


class MailConnections:
    """Backends of one class, made with the same options. One is opened within `patience` seconds;
    an unused one is kept for `kept`. Safe to use from many threads."""

    def __init__(
        self,
        backend: str,
        options: dict[str, Any],
        *,
        patience: float = CONNECT_TIMEOUT,
        kept: float = KEPT,
    ) -> None:
        self._backend, self._options = backend, options
        self._patience, self._kept = patience, kept
        self._lock = threading.Lock()
        self._idle: list[tuple[Any, float]] = []  # the one that was used last is lent first
        self._process = os.getpid()

    def make(self) -> Any:
        """A backend that is not open. Raises what is wrong with the path or the options."""
        return get_connection(self._backend, **self._options)

    def open(self) -> None:
        """See to it that one is open, for the next send. Raises what `backend.open()` does."""
        self._give_back(self._take_or_open())

    @contextmanager
    def lent(self, seconds: float) -> Iterator[Any]:
        """An open backend, for so long, its goodbye included. It is kept when nothing goes wrong,
        and closed else."""
        backend = self._take_or_open()
        with _bounded(backend, Deadline(seconds)):
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

    def _take_or_open(self) -> Any:
        deadline = Deadline(self._patience)
        return self._take(deadline) or self._opened(deadline)

    def _opened(self, deadline: Deadline) -> Any:
        """In a thread that nobody waits for any longer: there is no socket yet that could be
        bounded, and to look the host up has no end at all."""
        backend = self.make()
        outcome: SimpleQueue[Exception | None] = SimpleQueue()
        late = threading.Event()

        def open_it() -> None:
            try:
                backend.open()
            except Exception as error:  # noqa: BLE001 - raised below, where somebody waits for it
                outcome.put(error)
                _close(backend)
            else:
                outcome.put(None)
                if late.is_set():
                    _close(backend)

        threading.Thread(target=open_it, name="mail-connect", daemon=True).start()
        try:
            error = outcome.get(timeout=deadline.left())
        except Empty:
            late.set()
            if not outcome.empty():  # it came in between, and did not see that it is late
                _close(backend)
            raise TimeoutError("The mail server did not let us in, in time.") from None
        if error is not None:
            raise error
        return backend

    def _take(self, deadline: Deadline) -> Any:
        while True:
            with self._lock:
                if self._process != os.getpid():  # a forked child: these are its parent's
                    self._process, self._idle = os.getpid(), []
                if not self._idle:
                    return None
                backend, since = self._idle.pop()
            if time.monotonic() - since < self._kept and not _has_something_to_say(backend):
                return backend
            with _bounded(backend, deadline):
                _close(backend)

    def _give_back(self, backend: Any) -> None:
        with self._lock:
            self._idle.append((backend, time.monotonic()))


@contextmanager
def _bounded(backend: Any, deadline: Deadline) -> Iterator[None]:
    """Until the deadline, where it speaks SMTP (smtplib): others have no socket that one could see,
    and keep to the time-outs that they were made with."""
    smtp = getattr(backend, "connection", None)
    connection = getattr(smtp, "sock", None)
    if smtp is None or connection is None:
        yield
        return
    smtp.sock, smtp.file = BoundedSocket(connection, deadline), None
    try:
        yield
    finally:
        if smtp.sock is not None:  # it is when smtplib has closed it
            smtp.sock, smtp.file = connection, None


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
