"""Clients that order as fast as they are answered, on connections that stay open.

Raw sockets and requests put together beforehand: a library for HTTP takes as long as a tenth of
the request that it is to time, on a core that the server needs.
"""

from __future__ import annotations

import re
import socket
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from notifications.local.ports import HOST

LENGTH = re.compile(rb"content-length: *(\d+)", re.IGNORECASE)
TIMEOUT = 30.0


@dataclass(frozen=True)
class Latencies:
    """Of one run: seconds of each request, ascending."""

    seconds: tuple[float, ...]
    took: float

    def percentile(self, percent: float) -> float:
        """Seconds; the nearest rank, no interpolation."""
        rank = max(1, -(-len(self.seconds) * percent // 100))
        return self.seconds[int(rank) - 1]

    @property
    def per_second(self) -> float:
        return len(self.seconds) / self.took


class OrderClient:
    """One keep-alive connection to one server."""

    def __init__(self, port: int) -> None:
        self._socket = socket.create_connection((HOST, port), timeout=TIMEOUT)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def order(self, request: bytes) -> float:
        """Seconds until the whole answer was there. Raises RuntimeError unless it is a 201."""
        started = time.perf_counter()
        self._socket.sendall(request)
        answer = self._socket.recv(65536)
        while not _is_whole(answer):
            more = self._socket.recv(65536)
            if not more:
                raise RuntimeError("the server hung up")
            answer += more
        seconds = time.perf_counter() - started
        if not answer.startswith(b"HTTP/1.1 201"):
            raise RuntimeError(f"refused: {answer[:1000]!r}")
        return seconds

    def close(self) -> None:
        self._socket.close()


def _is_whole(answer: bytes) -> bool:
    head, end, body = answer.partition(b"\r\n\r\n")
    length = LENGTH.search(head)
    return bool(end) and len(body) >= (int(length[1]) if length else 0)


def run(port: int, requests: Sequence[bytes], clients: int) -> Latencies:
    """Send all of `requests` from so many clients, each its share, one after the other."""
    lines: list[list[float]] = [[] for _ in range(clients)]
    failures: list[BaseException] = []
    ready = threading.Barrier(clients + 1)

    def work(number: int) -> None:
        client = OrderClient(port)
        try:
            ready.wait(TIMEOUT)
            for request in requests[number::clients]:
                lines[number].append(client.order(request))
        except (OSError, RuntimeError) as error:
            failures.append(error)
        finally:
            client.close()

    threads = [threading.Thread(target=work, args=(number,)) for number in range(clients)]
    for thread in threads:
        thread.start()
    ready.wait(TIMEOUT)
    started = time.perf_counter()
    for thread in threads:
        thread.join()
    took = time.perf_counter() - started
    if failures:
        raise RuntimeError(f"{len(failures)} of {clients} clients failed") from failures[0]
    return Latencies(tuple(sorted(second for line in lines for second in line)), took)


def requests(path: str, token: str, bodies: Iterator[str], keys: Iterator[str]) -> Iterator[bytes]:
    """Whole HTTP requests. An empty key is none."""
    for body, key in zip(bodies, keys, strict=False):
        head = [
            f"POST {path} HTTP/1.1",
            f"Host: {HOST}",
            f"Authorization: Bearer {token}",
            "Content-Type: application/json",
            f"Content-Length: {len(body.encode())}",
            *([f"Idempotency-Key: {key}"] if key else []),
        ]
        yield "\r\n".join([*head, "", body]).encode()
