"""ProcessServer: how a worker or a relay does, for whoever asks it over HTTP.

Off unless NOTIFICATIONS["PROCESS_BIND"] (the shop's PROCESS_BIND) says where: "127.0.0.1:9464",
or "0.0.0.0:9464" in a container. Anybody who reaches it may ask: there is no login and no
encryption, so let only the network of your probes reach it.

    process_server.register("/metrics", lambda: (200, "text/plain", b"…"))

It answers from daemon threads of its own: whatever the process's pool does, and without a moment
by which its end is held up.
"""

from __future__ import annotations

import logging
import os
import socket
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socketserver import TCPServer
from urllib.parse import urlsplit

from django.core.exceptions import ImproperlyConfigured
from django.db import connections

from notifications.conf import conf

logger = logging.getLogger(__name__)

Answer = tuple[int, str, bytes]
"""Status, content type, body."""

Handler = Callable[[], Answer]

PATIENCE = 5.0
"""Seconds that a client may be silent, and that it waits for the answer to another."""

_handlers: dict[str, tuple[Handler, threading.Lock]] = {}
_open: list[ProcessServer] = []


def register(path: str, handler: Handler) -> None:
    """Answer a GET of `path` by what `handler` returns; it is called in a thread of its own, one
    at a time for each path. It may ask the database."""
    _handlers[path] = (handler, threading.Lock())


def listen() -> ProcessServer | None:
    """The server of this process, which is to be started; None where it is not asked for."""
    bind = conf().process_bind
    return ProcessServer(bind) if bind else None


class ProcessServer:
    """bind: "host:port"; port 0 takes a free one. Raises ImproperlyConfigured, saying how to mend
    it, when nobody can listen there. It listens at once, and answers from `start()` on."""

    def __init__(self, bind: str) -> None:
        host, port = address(bind)
        try:
            self._server = _Server(host, port)
        except OSError as error:
            raise ImproperlyConfigured(
                f"PROCESS_BIND is {bind!r}, where this process cannot listen: {error.strerror}. "
                "Give each process of a machine a port of its own, or port 0, which takes a free "
                "one and says which."
            ) from None
        _open.append(self)

    @property
    def url(self) -> str:
        host, port = self._server.server_address[:2]
        return f"http://{f'[{host!s}]' if ':' in str(host) else host!s}:{port}"

    def start(self) -> None:
        """Answer, from a thread of its own. Call it when a pool of processes has been forked."""
        logger.info("Says how this process does at %s/healthz", self.url)
        threading.Thread(
            target=self._server.serve_forever, name="process-server", daemon=True
        ).start()

    def close(self) -> None:
        """Listen no more; only who goes on without it needs this."""
        _open.remove(self)
        self._server.shutdown()
        self._server.server_close()

    def leave_to_parent(self) -> None:
        """In a forked child: it would keep the port when the parent is gone."""
        self._server.socket.close()


def address(bind: str) -> tuple[str, int]:
    """Host and port of "127.0.0.1:9464" or "[::1]:9464". Raises ImproperlyConfigured."""
    try:
        parts = urlsplit(f"//{bind}")
        host, port = parts.hostname, parts.port
    except ValueError:
        host = port = None
    if not host or port is None or parts.netloc != bind or parts.username is not None:
        raise ImproperlyConfigured(
            f'PROCESS_BIND is {bind!r}: give a host and a port, as "127.0.0.1:9464", '
            "or leave it out."
        )
    return host, port


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def __init__(self, host: str, port: int) -> None:
        self.address_family = socket.AF_INET6 if ":" in host else socket.AF_INET
        super().__init__((host, port), _Request)

    def server_bind(self) -> None:
        TCPServer.server_bind(self)  # without HTTPServer's question for the host's name to the DNS

    def handle_error(self, request: object, client_address: object) -> None:
        """socketserver would write a traceback past every log: of a probe that lost its patience,
        and each time that it asks."""
        logger.debug("Who asked how this process does was not answered", exc_info=True)


class _Request(BaseHTTPRequestHandler):
    timeout = PATIENCE
    server_version, sys_version = "notifications", ""

    def do_GET(self) -> None:
        status, content_type, body = _answer(self.path.partition("?")[0])
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    do_HEAD = do_GET

    def log_message(self, format: str, *args: object) -> None:
        logger.debug(format, *args)


def _answer(path: str) -> Answer:
    try:
        handler, lock = _handlers[path]
    except KeyError:
        return _text(404, f"There is nothing here; there is {' '.join(sorted(_handlers))}\n")
    # One that waits for the database must not gather threads: its clients ask again and again.
    if not lock.acquire(timeout=PATIENCE):
        return _text(503, "Somebody else is being answered; ask again later\n")
    try:
        return handler()
    except Exception as error:
        logger.exception("%s cannot be answered", path)
        return _text(500, f"{type(error).__name__}\n")
    finally:
        lock.release()
        connections.close_all()  # of this thread: back to the pool


def _text(status: int, text: str) -> Answer:
    return status, "text/plain; charset=utf-8", text.encode()


def _leave_to_parent() -> None:
    while _open:
        _open.pop().leave_to_parent()


os.register_at_fork(after_in_child=_leave_to_parent)
