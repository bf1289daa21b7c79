"""A socket with an end to its time and to what is read of it, for a whole conversation.

A time-out alone is one for each step: whoever answers byte by byte, or is slow at every step, would
get as much time as they like.
"""

from __future__ import annotations

import io
import socket
import time
from typing import Any

MOST_READ = 64 * 1024
"""Bytes that are read in all: behind them it ends."""


class Deadline:
    """A moment, `seconds` from now."""

    def __init__(self, seconds: float) -> None:
        self._at = time.monotonic() + seconds

    def left(self) -> float:
        """Seconds. Raises TimeoutError when there are none."""
        left = self._at - time.monotonic()
        if left <= 0:
            raise TimeoutError
        return left


class BoundedSocket:
    """What http.client and smtplib use of a socket. Raises TimeoutError at the deadline."""

    def __init__(self, connection: socket.socket, deadline: Deadline) -> None:
        self._connection, self._deadline = connection, deadline

    def sendall(self, data: bytes) -> None:
        """Piece by piece: over TLS a time-out is one for each record."""
        left = memoryview(data)
        while left:
            self._connection.settimeout(self._deadline.left())
            left = left[self._connection.send(left) :]

    def makefile(self, mode: str) -> io.BufferedReader:
        return io.BufferedReader(_Reader(self._connection, self._deadline))

    def close(self) -> None:
        self._connection.close()


class _Reader(io.RawIOBase):
    def __init__(self, connection: socket.socket, deadline: Deadline) -> None:
        self._connection, self._deadline, self._left = connection, deadline, MOST_READ

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        most = min(len(buffer), self._left)
        if not most:
            return 0  # to a socket, no bytes to read would mean as many as there are
        self._connection.settimeout(self._deadline.left())
        count = self._connection.recv_into(buffer, most)
        self._left -= count
        return count
