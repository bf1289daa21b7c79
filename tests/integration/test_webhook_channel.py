"""What a partner is posted, and what no partner can make us do: by real sockets."""

from __future__ import annotations

import json
import socket
import ssl
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from notifications import webhooks
from notifications.channels import pinned_http, webhook_signature
from notifications.channels.base import Content, Message
from notifications.channels.pinned_http import Deadline
from notifications.channels.public_address import Guard
from notifications.channels.webhook import SignedWebhook
from notifications.exceptions import (
    NotificationError,
    OutcomeUnknown,
    PermanentError,
    TransientError,
)
from tests.channels import DELIVERY, TAG, message_to
from tests.partners import Answer, Partner, says

SECRET = webhooks.new_secret()
Open = Callable[..., Partner]


@pytest.fixture
def partner() -> Iterator[Open]:
    with ExitStack() as stack:
        yield lambda answer, **options: stack.enter_context(Partner(answer, **options))


def adapter(**options: object) -> SignedWebhook:
    given = {"private_networks": ["127.0.0.1/32"], "secret": SECRET} | options
    return SignedWebhook(**given)  # type: ignore[arg-type]


def to(partner: Partner, host: str = "127.0.0.1", scheme: str = "http") -> Message:
    return message_to(f"{scheme}://{host}:{partner.port}/hooks")


def headers_of(head: bytes) -> dict[str, str]:
    lines = head.decode().splitlines()[1:]
    return {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}


# What it is sent


def test_the_official_reader_takes_what_is_posted(partner: Open) -> None:
    there = partner(says("204 No Content"))

    accepted = adapter().send(replace(to(there), content=Content(text='{"type": "ä"}')))

    [(head, body)] = there.requests
    given = headers_of(head)
    assert Webhook(SECRET).verify(body, given) == {"type": "ä"} == json.loads(body)
    assert head.startswith(b"POST /hooks HTTP/1.1\r\n")
    assert given["host"] == f"127.0.0.1:{there.port}"
    assert given["content-type"] == "application/cloudevents+json; charset=utf-8"
    assert given["webhook-id"] == accepted.provider_message_id == f"{DELIVERY}.2"
    assert given["x-notification-tag"] == TAG
    assert given["x-event-type"] == "order.shipped"


@pytest.fixture
def signed() -> Callable[[Sequence[str], bytes], dict[str, str]]:
    def signed(secrets: Sequence[str], body: bytes) -> dict[str, str]:
        now = int(datetime.now(UTC).timestamp())
        return webhook_signature.headers(secrets, identity="d.0", timestamp=now, body=body)

    return signed


def test_while_a_secret_is_rotated_both_readers_take_it(
    signed: Callable[[Sequence[str], bytes], dict[str, str]],
) -> None:
    old, new, foreign = (webhooks.new_secret() for _ in range(3))
    body = b'{"type":"order.shipped"}'

    given = signed([new, old], body)

    assert Webhook(new).verify(body, given) == Webhook(old).verify(body, given)
    for changed in (b'{"type":"order.created"}', body + b" "):
        with pytest.raises(WebhookVerificationError):
            Webhook(new).verify(changed, given)
    with pytest.raises(WebhookVerificationError):
        Webhook(foreign).verify(body, given)
    with pytest.raises(WebhookVerificationError):
        Webhook(new).verify(body, given | {"webhook-id": "d.1"})


@pytest.mark.parametrize("secret", ["", "whsec_", "whsec_c2hvcnQ=", "whsec_%%%", "c2hvcnQ="])
def test_a_secret_that_is_none_is_refused_without_being_quoted(secret: str) -> None:
    with pytest.raises(ValueError, match="24 to 64 bytes") as caught:
        webhook_signature.key_of(secret)

    assert not secret or secret == "whsec_" or secret not in str(caught.value)


# Where it is not sent


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_not_followed(partner: Open, status: int) -> None:
    inside = partner(says("200 OK"))
    there = partner(says(f"{status} Elsewhere", b"", f"Location: {inside.url}"))

    with pytest.raises(PermanentError) as caught:
        adapter().send(to(there))

    assert caught.value.code == f"http_{status}"
    assert inside.requests == []


def test_a_name_that_resolves_to_this_machine_is_refused_before_anything_is_sent(
    partner: Open,
) -> None:
    inside = partner(says("200 OK"))
    message = message_to(f"https://partner.example:{inside.port}/hooks")

    with pytest.raises(PermanentError) as caught:
        adapter(
            private_networks=[], ports=[inside.port], resolve=lambda host, port: ["127.0.0.1"]
        ).send(message)

    assert caught.value.code == "private_address"
    assert caught.value.of_recipient
    assert inside.requests == []


def test_a_name_is_looked_up_once_and_what_was_looked_at_is_connected_to(partner: Open) -> None:
    """DNS rebinding: a second answer would lead elsewhere, and nobody asks for it."""
    there = partner(says("204 No Content"))
    answers = iter([["127.0.0.1"], ["127.0.0.2"]])

    adapter(resolve=lambda host, port: next(answers)).send(to(there, host="partner.internal"))

    assert len(there.requests) == 1
    assert headers_of(there.requests[0][0])["host"] == f"partner.internal:{there.port}"
    assert list(answers) == [["127.0.0.2"]]


def test_a_proxy_of_the_environment_is_not_used(
    partner: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It would look the name up for itself."""
    proxy, there = partner(says("204 No Content")), partner(says("204 No Content"))
    for name in ("http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.setenv(name, proxy.url)

    adapter().send(to(there))

    assert (len(proxy.requests), len(there.requests)) == (0, 1)


# TLS


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A key and a certificate for partner.internal, signed by itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "partner.internal")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("partner.internal")]), False)
        .sign(key, hashes.SHA256())
    )
    file = tmp_path_factory.mktemp("tls") / "partner.pem"
    file.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        + made.public_bytes(serialization.Encoding.PEM)
    )
    return file


@pytest.fixture
def tls(certificate: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    return context


def test_a_name_s_certificate_is_checked_at_the_address_that_was_chosen(
    partner: Open, tls: ssl.SSLContext, certificate: Path
) -> None:
    there = partner(says("204 No Content"), tls=tls)
    ours = adapter(ca_file=str(certificate), resolve=lambda host, port: ["127.0.0.1"])

    ours.send(to(there, host="partner.internal", scheme="https"))

    assert there.names == ["partner.internal"]
    assert len(there.requests) == 1


@pytest.mark.parametrize("host", ["other.internal", "127.0.0.1"])
def test_a_certificate_of_another_name_is_refused(
    partner: Open, tls: ssl.SSLContext, certificate: Path, host: str
) -> None:
    there = partner(says("204 No Content"), tls=tls)
    ours = adapter(ca_file=str(certificate), resolve=lambda host, port: ["127.0.0.1"])

    with pytest.raises(TransientError) as caught:
        ours.send(to(there, host=host, scheme="https"))

    assert caught.value.code == "certificate_refused"
    assert there.requests == []


def test_a_certificate_that_nobody_known_signed_is_refused(
    partner: Open, tls: ssl.SSLContext
) -> None:
    there = partner(says("204 No Content"), tls=tls)

    with pytest.raises(TransientError) as caught:
        adapter(resolve=lambda host, port: ["127.0.0.1"]).send(
            to(there, host="partner.internal", scheme="https")
        )

    assert caught.value.code == "certificate_refused"


def test_a_host_that_is_an_ipv6_address_is_named_in_brackets() -> None:
    ours, theirs = socket.socketpair()
    target = Guard().target("https://[2606:4700:4700::abcd]/hooks")
    with ours, theirs:
        theirs.sendall(b"HTTP/1.1 204 No Content\r\n\r\n")

        answer = pinned_http.exchange(target, ours, b"{}", {}, Deadline(10))

        assert answer.status == 204
        assert b"Host: [2606:4700:4700::abcd]\r\n" in theirs.recv(4096)


# What it answers


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

    assert adapter(read_timeout=0.3).send(to(there)).detail.startswith("x")


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
