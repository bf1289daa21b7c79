"""A mail server that is slow at every step gets no more time than one that says nothing."""

from __future__ import annotations

import os
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace

import pytest

from notifications.channels.base import Attachment
from notifications.exceptions import OutcomeUnknown, TransientError
from notifications.local.providers.client import SandboxClient
from tests.channels import message_to, smtp

MESSAGE = message_to("ada@example.org")
SCAN = Attachment("scan.tiff", "image/tiff", bytes(10_000_000))
PATIENCE = 1.0
LATE = PATIENCE + 2
"""The long conversation takes seven seconds that nobody ends; the short one would get through."""
PAUSE = 0.01
"""Seconds after each piece: far within any time-out."""


class Dripping:
    """A line to a server over which, once it drips, the server's words come byte by byte, and ours
    go some kilobytes at a time."""

    def __init__(self, to: tuple[str, int]) -> None:
        self._to = to
        self.drips = threading.Event()
        self._closed = threading.Event()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.address = f"127.0.0.1:{self._listener.getsockname()[1]}"
        threading.Thread(target=self._serve, daemon=True).start()

    def close(self) -> None:
        self._closed.set()
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _serve(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                server = socket.create_connection(self._to)
                for way in ((client, server, 32_768), (server, client, 1)):
                    threading.Thread(target=self._carry, args=way, daemon=True).start()

    def _carry(self, source: socket.socket, target: socket.socket, most: int) -> None:
        with suppress(OSError), source, target:
            while data := source.recv(most if self.drips.is_set() else 65_536):
                target.sendall(data)
                if self.drips.is_set() and self._closed.wait(PAUSE):
                    return


@pytest.fixture
def line(sandbox: SandboxClient, monkeypatch: pytest.MonkeyPatch) -> Iterator[Dripping]:
    """The way to the sandbox's mail server."""
    host, _, port = os.environ["PROVIDER_SANDBOX_SMTP"].rpartition(":")
    line = Dripping((host, int(port)))
    monkeypatch.setenv("PROVIDER_SANDBOX_SMTP", line.address)
    yield line
    line.close()


@pytest.mark.usefixtures("trusted")
@pytest.mark.parametrize("attached", [(), (SCAN,)], ids=["short", "long"])
def test_a_conversation_has_an_end(line: Dripping, attached: tuple[Attachment, ...]) -> None:
    adapter = smtp(PATIENCE)
    adapter.prepare()
    line.drips.set()

    started = time.monotonic()
    with pytest.raises(OutcomeUnknown) as caught:
        adapter.send(replace(MESSAGE, attachments=attached))

    assert PATIENCE <= time.monotonic() - started < LATE
    assert caught.value.code == "read_timeout"


@pytest.mark.usefixtures("trusted")
def test_so_has_its_beginning(line: Dripping) -> None:
    adapter = smtp(connect_timeout=PATIENCE)
    line.drips.set()

    started = time.monotonic()
    with pytest.raises(TransientError) as caught:
        adapter.send(MESSAGE)

    assert PATIENCE <= time.monotonic() - started < LATE
    assert caught.value.code == "not_connected"


@pytest.mark.usefixtures("trusted")
def test_a_connection_serves_on_after_one_that_was_quick_enough(
    line: Dripping, sandbox: SandboxClient
) -> None:
    adapter = smtp(PATIENCE)

    for _ in range(3):
        adapter.send(MESSAGE)

    assert len(sandbox.accepted("email")) == 3
