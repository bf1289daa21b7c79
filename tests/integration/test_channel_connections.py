"""A connection that was never made is worth another try, through each real SDK."""

from __future__ import annotations

import json
import os
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from notifications.aws import clients
from notifications.exceptions import (
    NotificationError,
    OutcomeUnknown,
    PermanentError,
    ProviderPaused,
    TransientError,
)
from tests.channels import ADAPTERS, BY_NAME, PATIENCE, Channel, message_to
from tests.partners import Open, in_turn, says

pytestmark = pytest.mark.usefixtures("sandbox")

EVERY = pytest.mark.parametrize(
    "channel",
    [each for each in ADAPTERS if each.name != "memory"],
    ids=lambda channel: channel.name,
)
STRANGE = [
    b"",
    b"null",
    b"[]",
    b"[5]",
    b"5",
    b'"no"',
    b"<!DOCTYPE html><h1>Gateway</h1>",
    "<h1>R\xe9seau coup\xe9</h1>".encode("latin-1"),
    b"[" * 100_000,
    b'{"message": "' + b"x" * 2_000_000 + b'"}',
    b'{"__type": 5, "code": 0.5, "message": 5, "error": 5, "messages": 5, "MessageId": 5}',
    b'{"code": [], "message": [], "error": [], "MessageId": [], "messageId": {}, "messages": [5]}',
    b'{"error": {"code": null, "status": 5, "details": 5, "error_data": 5}, "messages": [{}]}',
]
"""Bodies of who stands between us and the provider, or of a provider in trouble."""
OVER_HTTP = pytest.mark.parametrize(
    "channel",
    [each for each in ADAPTERS if each.name not in {"memory", "email-smtp"}],
    ids=lambda channel: channel.name,
)


@pytest.fixture
def lead_to(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], None]]:
    """`lead_to(url)`: every provider's address is this one for the test."""

    def lead_to(url: str) -> None:
        for name in ("SESV2", "PINPOINT_SMS_VOICE_V2", "SOCIALMESSAGING"):
            monkeypatch.setenv(f"AWS_ENDPOINT_URL_{name}", url)
        monkeypatch.setenv("FCM_ENDPOINT", url)
        monkeypatch.setenv("WEBHOOK_TARGET", f"{url}/webhooks/partner")
        monkeypatch.setenv("PROVIDER_SANDBOX_SMTP", urlsplit(url).netloc)
        clients.forget()

    yield lead_to
    clients.forget()


@pytest.fixture
def nobody_listens(lead_to: Callable[[str], None]) -> None:
    """Every provider's address leads to a port where nothing is."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        lead_to(f"http://127.0.0.1:{probe.getsockname()[1]}")


@pytest.fixture
def a_stranger_answers(lead_to: Callable[[str], None], tmp_path: Path) -> Iterator[None]:
    """Every provider's address leads to a TLS server with a certificate nobody vouches for."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(_self_signed(tmp_path / "stranger.pem"))
    server = ThreadingHTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler)
    server.handle_error = lambda request, client_address: None  # its clients hang up on it
    server.socket = context.wrap_socket(server.socket, server_side=True)
    with server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        lead_to(f"https://127.0.0.1:{server.server_port}")
        yield
        server.shutdown()
        thread.join()


def _self_signed(file: Path) -> Path:
    """A key and a certificate for "stranger", in one file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "stranger")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    unencrypted = serialization.NoEncryption()
    private = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, unencrypted)
    file.write_bytes(private + certificate.public_bytes(pem))
    return file


def address_of(channel: Channel) -> str:
    """A webhook's provider is wherever its address says."""
    return os.environ["WEBHOOK_TARGET"] if channel.name == "webhook" else channel.address


@OVER_HTTP
def test_a_certificate_that_does_not_hold_is_transient(
    channel: Channel, a_stranger_answers: None
) -> None:
    with pytest.raises(TransientError) as caught:
        channel.make(PATIENCE).send(message_to(address_of(channel)))

    assert caught.value.code in {"not_connected", "certificate_refused"}


@EVERY
def test_a_refused_connection_is_transient(channel: Channel, nobody_listens: None) -> None:
    with pytest.raises(TransientError) as caught:
        channel.make(PATIENCE).send(message_to(address_of(channel)))

    assert caught.value.code == "not_connected"


@OVER_HTTP
def test_a_success_is_one_whatever_its_body_is_like(
    channel: Channel, lead_to: Callable[[str], None], partner: Open
) -> None:
    there = partner(in_turn("200 OK", STRANGE))
    lead_to(f"http://127.0.0.1:{there.port}")
    adapter, message = channel.make(PATIENCE), message_to(address_of(channel))

    for body in STRANGE:
        if channel.name == "email-anymail" and body != b"[]":  # which says no more
            with pytest.raises(OutcomeUnknown, match="unreadable_answer"):
                adapter.send(message)
        else:
            assert isinstance(adapter.send(message).provider_message_id, str), body[:80]

    assert len(there.requests) == len(STRANGE)


@OVER_HTTP
@pytest.mark.parametrize(
    ("status", "kind"),
    [
        ("400 Bad Request", PermanentError),
        ("403 Forbidden", ProviderPaused),
        ("429 Too Many Requests", TransientError),
        ("503 Service Unavailable", TransientError),
    ],
)
def test_a_refusal_is_what_its_status_says_whatever_its_body_is_like(
    channel: Channel,
    status: str,
    kind: type[NotificationError],
    lead_to: Callable[[str], None],
    partner: Open,
) -> None:
    there = partner(in_turn(status, STRANGE))
    lead_to(f"http://127.0.0.1:{there.port}")
    adapter, message = channel.make(PATIENCE), message_to(address_of(channel))
    if kind is ProviderPaused and not channel.paused:
        kind = PermanentError  # a partner's refusal is its own

    for body in STRANGE:
        with pytest.raises(NotificationError) as caught:
            adapter.send(message)
        assert type(caught.value) is kind, body[:80]


@pytest.mark.parametrize(
    ("name", "said", "code"),
    [
        ("push", {"error": {"status": "INVALID_ARGUMENT", "details": 5}}, "INVALID_ARGUMENT"),
        (
            "push",
            {"error": {"status": "NOT_FOUND", "details": [5, None, "x", {"@type": []}]}},
            "NOT_FOUND",
        ),
        (
            "push",
            {"error": {"status": "INVALID_ARGUMENT", "details": [{"fieldViolations": 5}]}},
            "INVALID_ARGUMENT",
        ),
        ("sms", {"__type": "ValidationException", "Fields": 5}, "ValidationException"),
        ("sms", {"__type": "ValidationException", "Fields": [5]}, "ValidationException"),
        (
            "whatsapp-cloud",
            {"error": {"code": 131026, "message": 5, "error_data": 5}},
            "131026",
        ),
    ],
)
def test_a_code_counts_whatever_stands_beside_it(
    name: str, said: object, code: str, lead_to: Callable[[str], None], partner: Open
) -> None:
    there = partner(says("400 Bad Request", json.dumps(said).encode()))
    lead_to(f"http://127.0.0.1:{there.port}")
    channel = BY_NAME[name]

    with pytest.raises(PermanentError) as caught:
        channel.make(PATIENCE).send(message_to(channel.address))

    assert caught.value.code == code
