"""What a partner is posted, and what no partner can make us do: by real sockets."""

from __future__ import annotations

import json
import socket
import ssl
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
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
from notifications.channels.base import Content
from notifications.channels.bounded_socket import Deadline
from notifications.channels.public_address import Guard
from notifications.exceptions import (
    OutcomeUnknown,
    PermanentError,
    TransientError,
)
from tests.channels import DELIVERY, TAG, message_to
from tests.partners import SECRET, Open, adapter, says, to


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


def test_who_reads_slowly_gets_no_more_time_than_who_reads_nothing(
    tls: ssl.SSLContext, certificate: Path
) -> None:
    ours, theirs = socket.socketpair()
    body, pace = bytes(1_000_000), threading.Event()
    taken: list[int] = []
    ours.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 8192)

    def reads() -> None:
        with suppress(OSError), tls.wrap_socket(theirs, server_side=True) as connection:
            while part := connection.recv(1024):
                taken.append(len(part))
                pace.wait(0.005)

    reader = threading.Thread(target=reads, daemon=True)
    reader.start()
    target = Guard().target("https://partner.example/")
    trusted = ssl.create_default_context(cafile=str(certificate))
    with (
        trusted.wrap_socket(ours, server_hostname="partner.internal") as connection,
        pytest.raises(OutcomeUnknown) as caught,
    ):
        pinned_http.exchange(target, connection, body, {}, Deadline(0.5))
    pace.set()
    reader.join(timeout=60)

    assert caught.value.code == "read_timeout"
    assert 0 < sum(taken) < len(body)


def test_a_host_that_is_an_ipv6_address_is_named_in_brackets() -> None:
    ours, theirs = socket.socketpair()
    target = Guard().target("https://[2606:4700:4700::abcd]/hooks")
    with ours, theirs:
        theirs.sendall(b"HTTP/1.1 204 No Content\r\n\r\n")

        answer = pinned_http.exchange(target, ours, b"{}", {}, Deadline(10))

        assert answer.status == 204
        assert b"Host: [2606:4700:4700::abcd]\r\n" in theirs.recv(4096)
