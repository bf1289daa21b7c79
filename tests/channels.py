"""The adapters under contract, and the providers behind them: what their tests share."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from notifications.channels.base import (
    CONNECT_TIMEOUT,
    Attachment,
    ChannelAdapter,
    Content,
    Message,
)
from notifications.channels.django_email import DjangoBackendEmail
from notifications.channels.email import SesEmail
from notifications.channels.memory import MemoryChannel
from notifications.channels.push import FcmPush
from notifications.channels.sms import EndUserMessagingSms
from notifications.channels.webhook import SignedWebhook
from notifications.channels.whatsapp import EndUserMessagingWhatsApp
from notifications.channels.whatsapp_cloud import CloudApiWhatsApp
from notifications.local.providers.client import SandboxClient
from notifications.local.providers.webhook import DEFAULT_SECRET

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
    """One adapter under contract, with codes of its own provider.

    name: the adapter's, by which its table of codes (`tests/codes`) knows it. sandbox: the
        channel of the sandbox that it reaches, where that has another name.
    names_wait: whether the provider says how long to wait when we are too fast.
    paused: none, where there is no account that could be refused as a whole.
    """

    name: str
    make: Callable[[float], ChannelAdapter]
    address: str
    refused: str
    paused: str = ""
    sandbox: str = ""
    names_wait: bool = True

    @property
    def at_sandbox(self) -> str:
        return self.sandbox or self.name


def smtp(
    patience: float = PATIENCE, *, connect_timeout: float = CONNECT_TIMEOUT, **options: Any
) -> DjangoBackendEmail:
    """To the sandbox's SMTP port, by STARTTLS and with a password. Its certificate is trusted where
    `SSL_CERT_FILE` says so (the fixture `trusted`)."""
    host, _, port = os.environ["PROVIDER_SANDBOX_SMTP"].rpartition(":")
    given = {"host": host, "port": int(port), "username": "shop", "password": "secret"}
    return DjangoBackendEmail(
        "Orders <orders@shop.example>",
        options={**given, "use_tls": True, **options},
        connect_timeout=connect_timeout,
        read_timeout=patience,
    )


def anymail(patience: float = PATIENCE) -> DjangoBackendEmail:
    """Postmark's API, spoken by django-anymail."""
    return DjangoBackendEmail(
        "Orders <orders@shop.example>",
        backend="anymail.backends.postmark.EmailBackend",
        options={
            "server_token": "a token",
            "api_url": f"{os.environ['FCM_ENDPOINT']}/postmark/",
        },
        read_timeout=patience,
    )


def cloud_api(patience: float = PATIENCE, **options: Any) -> CloudApiWhatsApp:
    return CloudApiWhatsApp(
        "106540352242922",
        "a token",
        endpoint=os.environ["FCM_ENDPOINT"],
        read_timeout=patience,
        **options,
    )


ADAPTERS = [
    Channel(
        "email",
        lambda patience: SesEmail("Orders <orders@shop.example>", read_timeout=patience),
        "ada@example.org",
        refused="MessageRejected",
        paused="AccountSuspendedException",
    ),
    Channel(
        "email-smtp",
        smtp,
        "ada@example.org",
        refused="550",
        paused="530",
        sandbox="email",
        names_wait=False,
    ),
    Channel(
        "email-anymail",
        anymail,
        "ada@example.org",
        refused="http_422",
        paused="http_403",
        sandbox="email",
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
        "whatsapp-cloud",
        cloud_api,
        "+4915112345678",
        refused="131026",
        paused="131031",
        sandbox="whatsapp",
    ),
    Channel(
        "push",
        lambda patience: FcmPush(endpoint=os.environ["FCM_ENDPOINT"], read_timeout=patience),
        "device-token-1",
        refused="UNREGISTERED",
        paused="THIRD_PARTY_AUTH_ERROR",
    ),
    Channel(
        "webhook",
        lambda patience: SignedWebhook(
            private_networks=["127.0.0.1/32"], secret=DEFAULT_SECRET, read_timeout=patience
        ),
        f"{os.environ.get('PROVIDER_SANDBOX_URL', '')}/webhooks/partner",
        refused="http_422",
    ),
    Channel(
        "memory",
        lambda patience: MemoryChannel(),
        "anyone",
        refused="no_such_user",
        paused="provider_paused",
    ),
]


BY_NAME = {channel.name: channel for channel in ADAPTERS}

INVOICE = Attachment("Rechnung Nº 7.pdf", "application/pdf", b"%PDF-1.7 \x00\xff" * 20)


def message_to(address: str) -> Message:
    """An attempt with something in every field."""
    return Message(
        address=address,
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
