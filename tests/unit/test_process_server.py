"""A worker or relay says how it does, whatever else it is at."""

from __future__ import annotations

import os
import socket
import struct
import threading
from collections.abc import Iterator

import httpx
import pytest
from django.core.exceptions import ImproperlyConfigured

from notifications import process_server
from notifications.liveness import answer
from notifications.process_server import ProcessServer, address
from notifications.pulse import Pulse
from tests.waiting import wait_for

LOOPBACK = "127.0.0.1:0"
RESET = struct.pack("ii", 1, 0)
"""A socket with this option ends its connection rudely."""


@pytest.fixture
def server() -> Iterator[ProcessServer]:
    server = ProcessServer(LOOPBACK)
    server.start()
    yield server
    server.close()


def test_it_answers_what_was_registered_and_nothing_else(server: ProcessServer) -> None:
    process_server.register("/seven", lambda: (207, "text/plain", b"seven"))
    told = httpx.get(f"{server.url}/seven?days=1")
    assert (told.status_code, told.text) == (207, "seven")
    assert told.headers["server"].strip() == "notifications", "and no version"
    assert httpx.head(f"{server.url}/seven").text == ""
    assert httpx.get(f"{server.url}/eight").status_code == 404
    assert httpx.post(f"{server.url}/seven").status_code == 501


def test_a_handler_that_hangs_or_fails_keeps_nobody_else_from_an_answer(
    server: ProcessServer, caplog: pytest.LogCaptureFixture
) -> None:
    asked, enough = threading.Event(), threading.Event()

    def hang() -> process_server.Answer:
        asked.set()
        enough.wait(30)
        return 200, "text/plain", b""

    def fail() -> process_server.Answer:
        raise ValueError("a secret")

    process_server.register("/hangs", hang)
    process_server.register("/fails", fail)
    process_server.register("/healthz", lambda: answer(""))
    hanging = threading.Thread(target=httpx.get, args=[f"{server.url}/hangs"])
    hanging.start()
    asked.wait(5)
    failed = httpx.get(f"{server.url}/fails")
    assert (failed.status_code, failed.text) == (500, "ValueError\n")
    assert "/fails cannot be answered" in caplog.text
    assert httpx.get(f"{server.url}/healthz").json() == {"alive": True}
    enough.set()
    hanging.join()


def test_who_leaves_before_the_answer_or_asks_nonsense_leaves_no_traceback(
    server: ProcessServer, capfd: pytest.CaptureFixture[str]
) -> None:
    process_server.register("/long", lambda: (200, "text/plain", b"x" * 50_000_000))
    for asked, status in ((b"/long", b"HTTP/1.0 200"), (b"http://[", b"HTTP/1.0 404")):
        with socket.create_connection(server._server.server_address[:2], timeout=5) as client:
            client.sendall(b"GET " + asked + b" HTTP/1.0\r\n\r\n")
            assert client.recv(12) == status
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
    wait_for(lambda: not any("process_request" in each.name for each in threading.enumerate()))
    assert capfd.readouterr().err == ""


def test_a_forked_child_does_not_keep_the_port() -> None:
    server = ProcessServer(LOOPBACK)
    server.start()
    told, tell = os.pipe()
    child = os.fork()
    if not child:
        os.read(told, 1)
        os._exit(0)
    server.close()
    try:
        again = ProcessServer(server.url.removeprefix("http://"))
        again.start()
        again.close()
    finally:
        os.write(tell, b"!")
        os.waitpid(child, 0)


def test_a_port_that_another_process_has_is_named_with_the_mend(server: ProcessServer) -> None:
    taken = server.url.removeprefix("http://")
    with pytest.raises(ImproperlyConfigured, match=f"PROCESS_BIND is '{taken}'") as said:
        ProcessServer(taken)
    assert "in use" in str(said.value)
    assert "port 0" in str(said.value)


@pytest.mark.parametrize(
    "bind", ["9464", ":9464", "127.0.0.1", "http://a:1", "a:b", "a:1/", "b@a:1"]
)
def test_a_bind_that_cannot_be_read_is_named(bind: str) -> None:
    with pytest.raises(ImproperlyConfigured, match="PROCESS_BIND is"):
        address(bind)


def test_a_bind_may_be_of_either_kind() -> None:
    assert address("localhost:9464") == ("localhost", 9464)
    assert address("[::1]:9464") == ("::1", 9464)


def test_a_pulse_tells_a_loop_that_hangs_from_one_that_waits_for_the_database() -> None:
    pulse = Pulse(patience=-1)  # whatever it does takes too long
    assert pulse.why_dead().startswith("its loop has not come round for")
    with pulse.excused():
        assert pulse.why_dead() == ""
        with pulse.at("a call for prod-email"):
            assert pulse.why_dead().startswith("a call for prod-email hangs since")
    assert Pulse(patience=60).why_dead() == ""


def test_who_is_dead_says_why_in_one_line() -> None:
    assert answer("", {"loop": 0.2}) == (200, "application/json", b'{"alive": true, "loop": 0.2}\n')
    assert answer("it hangs") == (
        503,
        "application/json",
        b'{"alive": false, "why": "it hangs"}\n',
    )
