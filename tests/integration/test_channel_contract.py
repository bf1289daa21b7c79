"""One contract, held by every adapter: through the real SDK against the sandbox, and in memory."""

from __future__ import annotations

import os
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Protocol

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from notifications.aws import clients
from notifications.channels.base import ChannelAdapter, Content, Message
from notifications.channels.email import SesEmail
from notifications.channels.memory import MemoryChannel
from notifications.channels.push import FcmPush
from notifications.channels.sms import EndUserMessagingSms
from notifications.channels.whatsapp import EndUserMessagingWhatsApp
from notifications.exceptions import (
    OutcomeUnknown,
    PermanentError,
    ProviderPaused,
    TransientError,
)
from notifications.local.providers.client import SandboxClient

DELIVERY = "0199c1d2-7b1e-7f3a-9c55-2f6f0e1b4a10"
TAG = f"{DELIVERY}.2.1"
PATIENCE = 10.0
SHORT_PATIENCE = 0.3
"""Seconds an adapter waits for an answer; the short one where none will come."""


class Provider(Protocol):
    """What a test says to the provider behind an adapter, and asks of it."""

    def script(self, behaviour: str, **arguments: Any) -> None: ...

    def accepted(self) -> list[tuple[str, str, str, str]]:
        """(address, tag, event type, subject) of each message it took."""


class SandboxProvider:
    def __init__(self, sandbox: SandboxClient, channel: str) -> None:
        self._sandbox, self._channel = sandbox, channel

    def script(self, behaviour: str, **arguments: Any) -> None:
        self._sandbox.script(self._channel, behaviour, **arguments)

    def accepted(self) -> list[tuple[str, str, str, str]]:
        taken = self._sandbox.accepted(self._channel)
        return [(each.address, each.tag, each.event_type, each.subject) for each in taken]


class MemoryProvider:
    def script(self, behaviour: str, **arguments: Any) -> None:
        MemoryChannel.script("memory", behaviour, **arguments)

    def accepted(self) -> list[tuple[str, str, str, str]]:
        taken = MemoryChannel.outbox("memory")
        return [(each.address, each.tag, each.event_type, each.subject) for each in taken]


@dataclass(frozen=True)
class Channel:
    """One adapter under contract, with codes of its own provider."""

    name: str
    make: Callable[[float], ChannelAdapter]
    address: str
    refused: str
    paused: str


CHANNELS = [
    Channel(
        "email",
        lambda patience: SesEmail("Orders <orders@shop.example>", read_timeout=patience),
        "ada@example.org",
        refused="MessageRejected",
        paused="AccountSuspendedException",
    ),
    Channel(
        "sms",
        lambda patience: EndUserMessagingSms("+12065550100", read_timeout=patience),
        "+4915112345678",
        refused="ConflictException",
        paused="ServiceQuotaExceededException",
    ),
    Channel(
        "whatsapp",
        lambda patience: EndUserMessagingWhatsApp(
            "phone-number-id-01234567890123456789012345678901", read_timeout=patience
        ),
        "+4915112345678",
        refused="131026",
        paused="131031",
    ),
    Channel(
        "push",
        lambda patience: FcmPush(endpoint=os.environ["FCM_ENDPOINT"], read_timeout=patience),
        "device-token-1",
        refused="UNREGISTERED",
        paused="THIRD_PARTY_AUTH_ERROR",
    ),
    Channel(
        "memory",
        lambda patience: MemoryChannel(),
        "anyone",
        refused="no_such_user",
        paused="provider_paused",
    ),
]


@pytest.fixture(params=CHANNELS, ids=lambda channel: channel.name)
def channel(request: pytest.FixtureRequest) -> Channel:
    return request.param


@pytest.fixture
def provider(channel: Channel, request: pytest.FixtureRequest) -> Provider:
    if channel.name == "memory":
        MemoryChannel.reset()
        return MemoryProvider()
    return SandboxProvider(request.getfixturevalue("sandbox"), channel.name)


@pytest.fixture
def adapter(channel: Channel, provider: Provider) -> ChannelAdapter:
    return channel.make(PATIENCE)


@pytest.fixture
def message(channel: Channel) -> Message:
    return Message(
        address=channel.address,
        content=Content(
            text="Your order 7 is on its way: 24,90 €.",
            subject="Order 7 shipped ✓",
            html="<p>Your order 7 is <b>on its way</b>.</p>",
        ),
        tag=TAG,
        idempotency_key=f"{DELIVERY}.2",
        event_type="order.shipped",
        subject="order/7",
    )


@pytest.fixture
def lead_to(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], None]]:
    """`lead_to(url)`: every provider's address is this one for the test."""

    def lead_to(url: str) -> None:
        for name in ("SESV2", "PINPOINT_SMS_VOICE_V2", "SOCIALMESSAGING"):
            monkeypatch.setenv(f"AWS_ENDPOINT_URL_{name}", url)
        monkeypatch.setenv("FCM_ENDPOINT", url)
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


def test_an_accepted_message_is_found_at_the_provider_by_its_tag(
    adapter: ChannelAdapter, provider: Provider, message: Message
) -> None:
    answer = adapter.send(message)

    assert answer.provider_message_id
    assert provider.accepted() == [(message.address, TAG, "order.shipped", "order/7")]


def test_a_slow_provider_is_waited_for(
    adapter: ChannelAdapter, provider: Provider, message: Message
) -> None:
    provider.script("delay", seconds=0.1)

    assert adapter.send(message).provider_message_id


def test_throttling_is_transient_and_names_the_wait(
    adapter: ChannelAdapter, provider: Provider, message: Message
) -> None:
    provider.script("throttle", retry_after=7)

    with pytest.raises(TransientError) as caught:
        adapter.send(message)

    assert caught.value.retry_after == 7
    assert not isinstance(caught.value, ProviderPaused)
    assert provider.accepted() == []


@pytest.mark.parametrize("status", [500, 503])
def test_a_server_error_is_transient(
    adapter: ChannelAdapter, provider: Provider, message: Message, status: int
) -> None:
    provider.script("server_error", status=status)

    with pytest.raises(TransientError) as caught:
        adapter.send(message)

    assert not isinstance(caught.value, ProviderPaused)


def test_a_refusal_is_permanent_and_carries_the_provider_s_code(
    adapter: ChannelAdapter, provider: Provider, message: Message, channel: Channel
) -> None:
    provider.script("refuse", code=channel.refused)

    with pytest.raises(PermanentError) as caught:
        adapter.send(message)

    assert caught.value.code == channel.refused


def test_a_refused_account_pauses_the_channel(
    adapter: ChannelAdapter, provider: Provider, message: Message, channel: Channel
) -> None:
    provider.script("refuse", code=channel.paused)

    with pytest.raises(ProviderPaused) as caught:
        adapter.send(message)

    assert caught.value.code == channel.paused


def test_a_provider_that_never_answers_leaves_the_outcome_unknown(
    channel: Channel, provider: Provider, message: Message
) -> None:
    provider.script("hang")

    with pytest.raises(OutcomeUnknown) as caught:
        channel.make(SHORT_PATIENCE).send(message)

    assert caught.value.code == "read_timeout"


def test_a_provider_that_hangs_up_leaves_the_outcome_unknown(
    adapter: ChannelAdapter, provider: Provider, message: Message
) -> None:
    provider.script("hang_up")

    with pytest.raises(OutcomeUnknown) as caught:
        adapter.send(message)

    assert caught.value.code == "connection_lost"
    assert provider.accepted() == []


def test_an_answer_that_was_lost_leaves_the_outcome_unknown_though_it_was_accepted(
    adapter: ChannelAdapter, provider: Provider, message: Message
) -> None:
    provider.script("accept_then_drop")

    with pytest.raises(OutcomeUnknown):
        adapter.send(message)

    assert [tag for _, tag, _, _ in provider.accepted()] == [TAG]


def test_a_send_is_made_once_whatever_comes_of_it(
    adapter: ChannelAdapter, provider: Provider, message: Message
) -> None:
    provider.script("server_error", times=1)

    with pytest.raises(TransientError):
        adapter.send(message)

    assert provider.accepted() == []


def test_after_a_lost_connection_the_next_send_goes_through(
    adapter: ChannelAdapter, provider: Provider, message: Message
) -> None:
    provider.script("hang_up", times=1)
    with pytest.raises(OutcomeUnknown):
        adapter.send(message)

    assert adapter.send(message).provider_message_id


def test_an_empty_address_is_refused_before_the_provider_is_asked(
    adapter: ChannelAdapter, provider: Provider, message: Message
) -> None:
    nobody = Message(**{**vars(message), "address": " "})

    with pytest.raises(PermanentError) as caught:
        adapter.send(nobody)

    assert caught.value.code == "invalid_address"
    assert provider.accepted() == []


@pytest.mark.parametrize(
    ("behaviour", "arguments"),
    [
        ("throttle", {}),
        ("server_error", {}),
        ("refuse", {"code": "SomeCode"}),
        ("hang_up", {}),
    ],
)
def test_no_error_shows_the_address(
    adapter: ChannelAdapter,
    provider: Provider,
    message: Message,
    behaviour: str,
    arguments: dict[str, Any],
) -> None:
    provider.script(behaviour, **arguments)

    with pytest.raises(Exception, match=r".") as caught:
        adapter.send(message)

    assert message.address not in str(caught.value)
    assert caught.value.__suppress_context__ or caught.value.__context__ is None


@pytest.mark.parametrize("channel", CHANNELS[:4], indirect=True, ids=lambda each: each.name)
def test_a_certificate_that_does_not_hold_is_transient(
    channel: Channel, provider: Provider, a_stranger_answers: None, message: Message
) -> None:
    with pytest.raises(TransientError) as caught:
        channel.make(PATIENCE).send(message)

    assert caught.value.code == "not_connected"


@pytest.mark.parametrize("channel", CHANNELS[:4], indirect=True, ids=lambda each: each.name)
def test_a_refused_connection_is_transient(
    channel: Channel, provider: Provider, nobody_listens: None, message: Message
) -> None:
    with pytest.raises(TransientError) as caught:
        channel.make(PATIENCE).send(message)

    assert caught.value.code == "not_connected"
