"""A partner's server, on this machine: what it was sent, and whatever a test has it answer."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Self

from notifications import webhooks
from notifications.channels.base import Message
from notifications.channels.webhook import SignedWebhook
from tests.channels import message_to

SECRET = webhooks.new_secret()
Answer = Callable[[socket.socket], None]
Open = Callable[..., "Partner"]


class Partner:
    """Listens on 127.0.0.1; `answer` is given the connection once a request has been read.

    requests: head and body of each, as they came. names: what each TLS client asked for (SNI).
    """

    def __init__(self, answer: Answer, *, tls: ssl.SSLContext | None = None) -> None:
        self.requests: list[tuple[bytes, bytes]] = []
        self.names: list[str | None] = []
        self.closed = threading.Event()
        self._answer, self._tls = answer, tls
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        if tls is not None:
            tls.sni_callback = lambda _, name, __: self.names.append(name)
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/hooks"

    def close(self) -> None:
        self.closed.set()
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _serve(self) -> None:
        with suppress(OSError):
            while True:
                connection, _ = self._listener.accept()
                threading.Thread(target=self._talk, args=[connection], daemon=True).start()

    def _talk(self, connection: socket.socket) -> None:
        with suppress(OSError), connection:
            if self._tls is not None:
                connection = self._tls.wrap_socket(connection, server_side=True)
            with connection:
                self.requests.append(_request(connection))
                self._answer(connection)


def adapter(**options: object) -> SignedWebhook:
    """What posts to them: with SECRET, and to this machine."""
    given = {"private_networks": ["127.0.0.1/32"], "secret": SECRET} | options
    return SignedWebhook(**given)  # type: ignore[arg-type]


def to(partner: Partner, host: str = "127.0.0.1", scheme: str = "http") -> Message:
    """A message for this partner, whose host is called so."""
    return message_to(f"{scheme}://{host}:{partner.port}/hooks")


def says(status: str, body: bytes = b"", *headers: str) -> Answer:
    """A whole answer, at once: `says("302 Found", b"", "Location: …")`."""
    head = "\r\n".join([f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *headers])

    def answer(connection: socket.socket) -> None:
        connection.sendall(head.encode() + b"\r\n\r\n" + body)

    return answer


def in_turn(status: str, bodies: Iterable[bytes]) -> Answer:
    """Whole answers of one status, with one body after the other."""
    left = iter(bodies)
    return lambda connection: says(status, next(left), "Connection: close")(connection)


def _request(connection: socket.socket) -> tuple[bytes, bytes]:
    with connection.makefile("rb") as stream:
        head, length = b"", 0
        while (line := stream.readline()) not in (b"", b"\r\n"):
            head += line
            name, _, value = line.partition(b":")
            if name.lower() == b"content-length":
                length = int(value)
        return head, stream.read(length)
