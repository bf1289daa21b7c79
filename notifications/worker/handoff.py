"""Handoff: from the polling threads to the event loop."""

from __future__ import annotations

import socket
from collections import deque
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Any, Generic, TypeVar

T = TypeVar("T")


class Handoff(Generic[T]):
    """A queue that wakes kombu's hub through a socket pair.

    A file descriptor, because a hub without any sleeps a tenth of a second between looks
    (kombu.asynchronous.hub), and a thread cannot wake a poll in any other way.
    """

    def __init__(self, deliver: Callable[[T], None]) -> None:
        self._deliver = deliver
        self._items: deque[T] = deque()
        self._reader, self._writer = socket.socketpair()
        self._reader.setblocking(False)
        self._writer.setblocking(False)
        self._signalled = False

    def register(self, hub: Any) -> None:
        """Deliver on this hub's loop from now on."""
        hub.add_reader(self._reader, self._drain)

    def unregister(self, hub: Any) -> None:
        hub.remove_reader(self._reader)

    def put(self, items: Iterable[T]) -> None:
        """From any thread."""
        self._items.extend(items)
        if not self._signalled:
            self._signalled = True
            with suppress(BlockingIOError):  # a full buffer wakes the loop as well
                self._writer.send(b"\0")

    def close(self) -> None:
        """Only after the last thread that puts has ended."""
        self._reader.close()
        self._writer.close()

    def _drain(self) -> None:
        with suppress(BlockingIOError):
            self._reader.recv(4096)
        # Before the first item is taken: what is put after the last one signals again.
        self._signalled = False
        while self._items:
            self._deliver(self._items.popleft())
