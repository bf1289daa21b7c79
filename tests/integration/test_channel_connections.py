"""A connection that was never made is worth another try, through each real SDK."""

from __future__ import annotations

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
from notifications.exceptions import OutcomeUnknown, TransientError
from tests.channels import ADAPTERS, PATIENCE, Channel, message_to
from tests.partners import Open, says

pytestmark = pytest.mark.usefixtures("sandbox")

EVERY = pytest.mark.parametrize(
    "channel",
    [each for each in ADAPTERS if each.name != "memory"],
    ids=lambda channel: channel.name,
)
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
@pytest.mark.parametrize("body", [b"", b"{}", b"<html>"])
def test_a_success_is_one_whatever_its_body_is_like(
    channel: Channel, body: bytes, lead_to: Callable[[str], None], partner: Open
) -> None:
    there = partner(says("200 OK", body))
    lead_to(f"http://127.0.0.1:{there.port}")
    adapter, message = channel.make(PATIENCE), message_to(address_of(channel))

    if channel.name == "email-anymail":  # which says no more than that it cannot read it
        with pytest.raises(OutcomeUnknown):
            adapter.send(message)
    else:
        adapter.send(message)

    assert there.requests


@OVER_HTTP
def test_a_page_of_whoever_stands_in_between_is_an_answer_in_whatever_letters(
    channel: Channel, lead_to: Callable[[str], None], partner: Open
) -> None:
    there = partner(says("503 Erreur", "<h1>Réseau coupé</h1>".encode("latin-1")))
    lead_to(f"http://127.0.0.1:{there.port}")

    with pytest.raises((TransientError, OutcomeUnknown)):
        channel.make(PATIENCE).send(message_to(address_of(channel)))
