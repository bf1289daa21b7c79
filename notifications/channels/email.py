"""Email through Amazon SES, API v2 (`SendEmail`, simple content)."""

from __future__ import annotations

from typing import Any

from django.core.exceptions import ImproperlyConfigured, ValidationError
from django.core.validators import validate_email

from notifications.aws.clients import client
from notifications.channels import aws_errors
from notifications.channels.answers import Codes, invalid_address
from notifications.channels.base import (
    CONNECT_TIMEOUT,
    READ_TIMEOUT,
    Accepted,
    ChannelAdapter,
    Message,
)
from notifications.channels.correlation import Correlation, to_headers, to_ses_tags

_QUOTA = "daily_quota_exceeded"
_QUOTA_MESSAGE = "daily message quota exceeded"  # SES, Errors related to sending quotas
_CODES = Codes(
    paused=aws_errors.PAUSED
    | {
        _QUOTA,
        "AccountSuspendedException",
        "LimitExceededException",
        "MailFromDomainNotVerifiedException",
        "NotFoundException",  # the configuration set: every message would be refused
        "SendingPausedException",
    },
    transient=aws_errors.TRANSIENT,
    permanent=frozenset({"BadRequestException", "MessageRejected"}),
)


class SesEmail(ChannelAdapter):
    """`from_address` as in a From header; timeouts in seconds.

    `configuration_set` publishes what becomes of an email (bounces, complaints, deliveries).
    """

    provider = "ses"

    def __init__(
        self,
        from_address: str,
        configuration_set: str = "",
        connect_timeout: float = CONNECT_TIMEOUT,
        read_timeout: float = READ_TIMEOUT,
    ) -> None:
        if not from_address:
            raise ImproperlyConfigured(
                "SesEmail has no from_address: give it in the options of the email channel "
                'in NOTIFICATIONS["CHANNELS"].'
            )
        self._from_address = from_address
        self._configuration_set = configuration_set
        self._timeouts = {"connect_timeout": connect_timeout, "read_timeout": read_timeout}
        # What checks an address is compiled for the first one: 30 ms of CPU, which a first send
        # with its turn in hand was late by, or, on a busy machine, several times that.
        _recipient("anybody@example.org")

    def prepare(self) -> None:
        self._client()

    def check_address(self, address: str) -> None:
        _recipient(address)

    def send(self, message: Message) -> Accepted:
        call = self._call(message, _recipient(message.address))
        with aws_errors.translated(_CODES, address=message.address, refine=_refine):
            answer = self._client().send_email(**call)
        return Accepted(answer["MessageId"])

    def _client(self) -> Any:
        return client("sesv2", total_max_attempts=1, **self._timeouts)

    def _call(self, message: Message, recipient: str) -> dict[str, Any]:
        attached = Correlation(message.tag, message.event_type, message.subject)
        call: dict[str, Any] = {
            "FromEmailAddress": self._from_address,
            "Destination": {"ToAddresses": [recipient]},
            "Content": {"Simple": _content(message, attached)},
            "EmailTags": to_ses_tags(attached),
        }
        if self._configuration_set:
            call["ConfigurationSetName"] = self._configuration_set
        return call


def _content(message: Message, attached: Correlation) -> dict[str, Any]:
    """Headers as well as tags: a bounce that comes back as an email quotes only headers."""
    body = {"Text": _part(message.content.text)}
    if message.content.html:
        body["Html"] = _part(message.content.html)
    headers = [{"Name": name, "Value": value} for name, value in to_headers(attached).items()]
    return {"Subject": _part(message.content.subject), "Body": body, "Headers": headers}


def _part(text: str) -> dict[str, str]:
    return {"Data": text, "Charset": "UTF-8"}


def _recipient(address: str) -> str:
    """SES wants ASCII: the domain in its IDNA form, and no other local part."""
    address = address.strip()
    try:
        validate_email(address)
        local, _, domain = address.rpartition("@")
        local.encode("ascii")
        return f"{local}@{domain.encode('idna').decode('ascii')}"
    except (ValidationError, UnicodeError):
        raise invalid_address("This is no email address that SES takes.") from None


def _refine(code: str, message: str) -> str:
    """SES says one code for "slower" and for "no more today"; only the text tells them apart."""
    return _QUOTA if _QUOTA_MESSAGE in message.lower() else code
