"""Email through any Django email backend: SMTP, or a provider by its django-anymail backend."""

from __future__ import annotations

import weakref
from collections.abc import Mapping
from typing import Any

from django.core.exceptions import ImproperlyConfigured
from django.core.mail import EmailMultiAlternatives
from django.utils.module_loading import import_string

from notifications.channels import mail_errors, mime
from notifications.channels.base import (
    CONNECT_TIMEOUT,
    READ_TIMEOUT,
    Accepted,
    ChannelAdapter,
    Message,
)
from notifications.channels.correlation import Correlation, to_headers
from notifications.channels.email import ascii_address
from notifications.channels.mail_connections import MailConnections
from notifications.exceptions import PermanentError

SMTP = "django.core.mail.backends.smtp.EmailBackend"


class DjangoBackendEmail(ChannelAdapter):
    """`backend`: its dotted path; `options`: what it is made with besides, as {"host": …, "port":
    587, "username": …, "password": …, "use_tls": True} for SMTP, or a provider's settings for
    anymail. What is not given is taken from Django's EMAIL_… or anymail's settings.

    `from_address` as in a From header; timeouts in seconds. Of SMTP `connect_timeout` is until we
    are let in, in all, and `read_timeout` for the conversation from then on, its goodbye included.
    """

    def __init__(
        self,
        from_address: str,
        backend: str = SMTP,
        options: Mapping[str, Any] | None = None,
        connect_timeout: float = CONNECT_TIMEOUT,
        read_timeout: float = READ_TIMEOUT,
    ) -> None:
        if not from_address:
            raise ImproperlyConfigured(
                "DjangoBackendEmail has no from_address: give it in the options of the email "
                'channel in NOTIFICATIONS["CHANNELS"].'
            )
        self._from_address = from_address
        self._domain = mime.domain_of(from_address)
        self._read_timeout = read_timeout
        esp_name = getattr(import_string(backend), "esp_name", "")  # of anymail's backends
        self.provider = esp_name.lower() or ("smtp" if backend == SMTP else backend.split(".")[-2])
        timeout = (connect_timeout, read_timeout) if esp_name else connect_timeout
        self._connections = MailConnections(
            backend, {"timeout": timeout, **(options or {})}, patience=connect_timeout
        )
        self._connections.make()  # says now what is wrong with the options
        weakref.finalize(self, self._connections.close)  # an adapter is dropped, never closed
        ascii_address("anybody@example.org")  # compiled for the first one, which costs 30 ms

    def prepare(self) -> None:
        self._connections.open()

    def check_address(self, address: str) -> None:
        ascii_address(address)

    def send(self, message: Message) -> Accepted:
        email = self._email(message, ascii_address(message.address))
        with (
            mail_errors.translated(email, address=message.address) as stage,
            self._connections.lent(self._read_timeout) as backend,
        ):
            stage.asked = True
            if backend.send_messages([email]) == 0:
                raise PermanentError("The backend chose not to send it.", "not_sent")
        return Accepted(_message_id(email))

    def _email(self, message: Message, recipient: str) -> EmailMultiAlternatives:
        mime.refuse_too_large(message.attachments)
        attached = Correlation(message.tag, message.event_type, message.subject)
        email = EmailMultiAlternatives(
            subject=message.content.subject,
            body=message.content.text,
            from_email=self._from_address,
            to=[recipient],
            headers={
                "Message-ID": f"<{message.tag}@{self._domain}>",
                **to_headers(attached),
                **message.headers,
            },
        )
        if message.content.html:
            email.attach_alternative(message.content.html, "text/html")
        for attachment in message.attachments:
            email.attach(attachment.name, attachment.content, attachment.media_type)
        return email


def _message_id(email: EmailMultiAlternatives) -> str:
    """The provider's own, which anymail keeps; of SMTP ours: its answer's text is not given to us,
    and a bounce quotes this one."""
    status = getattr(email, "anymail_status", None)
    given = getattr(status, "message_id", None)
    return str(given) if given else email.extra_headers["Message-ID"]
