"""What a partner's server answers, and what we make of it, however long or slow it is."""

from __future__ import annotations

import socket
from dataclasses import replace

import pytest

from notifications.exceptions import (
    NotificationError,
    OutcomeUnknown,
    PermanentError,
    TransientError,
)
from tests.channels import message_to
from tests.partners import Answer, Open, adapter, says, to


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        *((code, TransientError) for code in (408, 425, 429, 500, 502, 503, 504, 599)),
        *((code, PermanentError) for code in (400, 401, 403, 404, 405, 410, 413, 422, 451)),
        *((code, PermanentError) for code in (300, 304)),
    ],
)
def test_a_status_means_what_the_table_says(
    partner: Open, status: int, kind: type[NotificationError]
) -> None:
    there = partner(says(f"{status} No", b"not today, ada@example.org"))

    with pytest.raises(NotificationError) as caught:
        adapter().send(to(there))

    assert type(caught.value) is kind
    assert caught.value.code == f"http_{status}"
    assert caught.value.of_recipient
    assert "ada@" not in str(caught.value)


@pytest.mark.parametrize("status", [200, 201, 202, 204])
def test_every_success_is_one_and_what_it_says_is_kept_redacted(partner: Open, status: int) -> None:
    there = partner(says(f"{status} Yes", b"thanks,\n ada@example.org" * (status != 204)))

    accepted = adapter().send(to(there))

    assert accepted.detail == ("thanks, a…@example.org" if status != 204 else "")


def endless(head: bytes) -> Answer:
    """More than anybody would read: until the reader goes away."""

    def answer(connection: socket.socket) -> None:
        connection.sendall(head)
        while True:
            connection.sendall(b"x" * 65536)

    return answer


def drips(head: bytes) -> Answer:
    """A byte at a time, each well within a read time-out, and never done."""

    def answer(connection: socket.socket) -> None:
        connection.sendall(head)
        connection.settimeout(0.02)
        while True:
            connection.sendall(b"x")
            try:
                if not connection.recv(1):
                    return
            except TimeoutError:
                continue

    return answer


def test_of_a_large_answer_a_part_is_read(partner: Open) -> None:
    there = partner(endless(b"HTTP/1.1 200 OK\r\n\r\n"))

    accepted = adapter().send(to(there))

    assert accepted.detail == "x" * 500


def test_a_head_without_end_is_not_read_to_its_end(partner: Open) -> None:
    there = partner(endless(b"HTTP/1.1 200 OK\r\nX: "))

    assert adapter().send(to(there)).detail == ""


def test_who_drips_a_head_gets_no_more_time_than_who_says_nothing(partner: Open) -> None:
    there = partner(drips(b"HTTP/1.1 200 OK\r\nX: "))

    with pytest.raises(OutcomeUnknown) as caught:
        adapter(read_timeout=0.3).send(to(there))

    assert caught.value.code == "read_timeout"


def test_who_drips_a_body_has_said_by_the_status_that_it_took_the_event(partner: Open) -> None:
    there = partner(drips(b"HTTP/1.1 200 OK\r\n\r\n"))

    assert adapter(read_timeout=1.5).send(to(there)).detail.startswith("x")


@pytest.mark.parametrize("said", [b"", b"SSH-2.0-OpenSSH_9.2\r\n", b"HTTP/1.1 fine\r\n"])
def test_what_is_no_answer_leaves_the_outcome_unknown(partner: Open, said: bytes) -> None:
    there = partner(lambda connection: connection.sendall(said))

    with pytest.raises(OutcomeUnknown) as caught:
        adapter().send(to(there))

    assert caught.value.code == "connection_lost"


def test_nobody_there_is_tried_again(partner: Open) -> None:
    there = partner(says("200 OK"))
    there.close()

    with pytest.raises(TransientError) as caught:
        adapter().send(to(there))

    assert caught.value.code == "not_connected"


def test_the_next_address_is_tried_where_nobody_is_at_the_first(partner: Open) -> None:
    there = partner(says("204 No Content"))
    ours = adapter(
        private_networks=["127.0.0.0/8"], resolve=lambda host, port: ["127.0.0.2", "127.0.0.1"]
    )

    ours.send(to(there, host="partner.internal"))

    assert len(there.requests) == 1


def test_a_name_server_that_does_not_answer_is_not_waited_for(partner: Open) -> None:
    there = partner(says("204 No Content"))

    def hangs(host: str, port: int) -> list[str]:
        there.closed.wait()
        return []

    with pytest.raises(TransientError) as caught:
        adapter(resolve=hangs, connect_timeout=0.2).send(to(there, host="partner.internal"))

    assert caught.value.code == "not_resolved"


def test_a_name_that_is_not_there_is_tried_again() -> None:
    def unknown(host: str, port: int) -> list[str]:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    with pytest.raises(TransientError) as caught:
        adapter(resolve=unknown).send(message_to("https://partner.example/"))

    assert caught.value.code == "not_resolved"


def test_who_has_no_secret_is_sent_nothing(partner: Open) -> None:
    there = partner(says("204 No Content"))

    with pytest.raises(TransientError) as caught:
        adapter(secret="").send(replace(to(there), reference="partner/1"))

    assert caught.value.code == "no_secret"
    assert there.requests == []
