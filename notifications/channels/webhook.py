"""Signed webhooks: the event itself, posted to a partner's endpoint as Standard Webhooks has it.

| the answer | what becomes of it |
|---|---|
| 2xx | accepted |
| 408, 425, 429, 5xx | tried again, after its Retry-After where it names one |
| 410 | never again, and its endpoint is disabled |
| 3xx | never: a redirect would lead where nobody has looked |
| any other | never |

Every failure is the endpoint's own: the channel, and the other partners, go on. One that fails
again and again is left alone for a while, and disabled after some days.
"""

from __future__ import annotations

import ssl
import threading
import time
from collections.abc import Iterable
from datetime import timedelta
from functools import cached_property
from queue import Empty, SimpleQueue

import httpx
from django.db import Error as DatabaseError
from django.utils import timezone

from notifications.channels import pinned_http, public_address
from notifications.channels.answers import retry_after
from notifications.channels.base import (
    CONNECT_TIMEOUT,
    READ_TIMEOUT,
    Accepted,
    ChannelAdapter,
    Message,
)
from notifications.channels.bounded_socket import Deadline
from notifications.channels.correlation import Correlation, to_headers
from notifications.channels.pinned_http import Answer
from notifications.channels.public_address import Address, Guard, Resolve, Target
from notifications.channels.webhook_signature import headers, key_of
from notifications.connection_pool import lend_connection
from notifications.exceptions import Busy, NotificationError, PermanentError, TransientError
from notifications.models import WebhookEndpoint
from notifications.models.webhook_endpoint import id_of
from notifications.redaction import redact

CONTENT_TYPE = "application/cloudevents+json; charset=utf-8"
USER_AGENT = "notifications-webhooks/1"
EXCERPT = 500
"""Characters of an answer that are kept, redacted."""

_TRANSIENT = frozenset({408, 425, 429})


class SignedWebhook(ChannelAdapter):
    """Sends to the endpoints of `notifications.models.WebhookEndpoint`, each with its own secrets.

    private_networks: what may be reached though it is not public ("10.1.0.0/16"): by plain HTTP
        too, and on any port. Everything else by HTTPS, on one of `ports`.
    disable_after_days: of failures without a success between, after which one is disabled.
    ca_file: of authorities besides the public ones that may sign an endpoint's certificate.
    secret: signs what goes to addresses that are no endpoint of ours, but the shop's own.
    connect_timeout, read_timeout: seconds; a send takes no longer than both together, whatever
        the other end does. resolve: looks a host's addresses up.
    """

    provider = "webhook"
    operation = "POST"
    tells_people = False
    tells_bounces = False
    gone = frozenset({"http_410"})

    def __init__(
        self,
        private_networks: Iterable[str] = (),
        ports: Iterable[int] = (443, 8443),
        disable_after_days: int = 5,
        ca_file: str = "",
        secret: str = "",
        connect_timeout: float = CONNECT_TIMEOUT,
        read_timeout: float = READ_TIMEOUT,
        resolve: Resolve = public_address.resolve,
    ) -> None:
        if disable_after_days < 1:
            raise ValueError("disable_after_days must be 1 or more.")
        if secret:
            key_of(secret)
        self._guard = Guard(private_networks, ports)
        self._disable_after = timedelta(days=disable_after_days)
        self._ca_file = ca_file
        self._secret = secret
        self._connect_timeout, self._read_timeout = connect_timeout, read_timeout
        self._resolve = resolve

    def prepare(self) -> None:
        _ = self._tls

    def check_address(self, address: str) -> None:
        self._guard.target(address)

    def send(self, message: Message) -> Accepted:
        try:
            target = self._guard.target(message.address)
            secrets = self._secrets(message.reference)
            return _read(self._post(target, message, secrets), message)
        except NotificationError as error:
            error.of_recipient = True
            raise

    def note(self, reference: str, error: NotificationError | None) -> None:
        """On its endpoint's row, which may disable it."""
        endpoint = id_of(reference)
        if endpoint is None:
            return
        if error is None:
            WebhookEndpoint.objects.succeeded(endpoint)
            return
        WebhookEndpoint.objects.failed(
            endpoint, str(error), gone=error.code in self.gone, after=self._disable_after
        )

    def _secrets(self, reference: str) -> list[str]:
        """What signs for this recipient. Raises Busy while its endpoint is to be left alone."""
        identity = id_of(reference)
        if identity is None:
            return [self._secret] if self._secret else _no_secret()
        try:
            endpoint = WebhookEndpoint.objects.filter(pk=identity).first()
        except DatabaseError:
            # Nothing was sent: to raise it as it is would leave the outcome unknown.
            raise Busy("the endpoint's secret cannot be read now", "database_away") from None
        finally:
            lend_connection()
        if endpoint is None:
            raise PermanentError("The endpoint was taken away.", "no_endpoint")
        now = timezone.now()
        if endpoint.left_alone_until and now < endpoint.left_alone_until and endpoint.is_enabled:
            seconds = (endpoint.left_alone_until - now).total_seconds()
            raise Busy("the endpoint fails, and is left alone", "endpoint_left_alone", seconds)
        return endpoint.secrets(now) or _no_secret()

    def _post(self, target: Target, message: Message, secrets: list[str]) -> Answer:
        connecting = Deadline(self._connect_timeout)
        addresses = self._addresses(target, connecting)
        body = message.content.text.encode()
        attached = Correlation(message.tag, message.event_type, message.subject)
        signed = headers(
            secrets, identity=message.idempotency_key, timestamp=int(time.time()), body=body
        )
        return pinned_http.post(
            target,
            addresses,
            body=body,
            headers={
                "Content-Type": CONTENT_TYPE,
                "User-Agent": USER_AGENT,
                **signed,
                **to_headers(attached),
            },
            tls=self._tls if target.scheme == "https" else None,
            connecting=connecting,
            read_timeout=self._read_timeout,
        )

    def _addresses(self, target: Target, deadline: Deadline) -> list[Address]:
        """The host's, in the time there is: the system's resolver has none of its own, so it is
        asked in a thread that nobody waits for any longer."""
        found: SimpleQueue[list[Address] | Exception] = SimpleQueue()

        def look() -> None:
            try:
                found.put(self._guard.addresses(target, self._resolve))
            except Exception as error:  # noqa: BLE001 - raised below, where somebody waits for it
                found.put(error)

        threading.Thread(target=look, name="webhook-resolve", daemon=True).start()
        try:
            answer = found.get(timeout=deadline.left())
        except (Empty, TimeoutError):
            raise TransientError(
                "The host's address was not found in time.", "not_resolved"
            ) from None
        match answer:
            case NotificationError():
                raise answer from None
            case OSError() | UnicodeError() | ValueError():
                raise TransientError("The host has no address.", "not_resolved") from None
            case Exception():
                raise answer
        return answer

    @cached_property
    def _tls(self) -> ssl.SSLContext:
        context = httpx.create_ssl_context()
        if self._ca_file:
            context.load_verify_locations(self._ca_file)
        return context


def _read(answer: Answer, message: Message) -> Accepted:
    """What the endpoint said. Its first characters are kept, for whoever looks into a failure."""
    text = " ".join(answer.body.decode(errors="replace").split())
    excerpt = redact(text, address=message.address, limit=EXCERPT)
    if 200 <= answer.status < 300:
        return Accepted(message.idempotency_key, detail=excerpt)
    code = f"http_{answer.status}"
    if answer.status in _TRANSIENT or answer.status >= 500:
        raise TransientError(excerpt, code, retry_after(answer.headers.get("Retry-After")))
    if 300 <= answer.status < 400:
        raise PermanentError("It redirects, which is not followed.", code)
    raise PermanentError(excerpt, code)


def _no_secret() -> list[str]:
    raise TransientError("There is no secret to sign with that can be read.", "no_secret")
