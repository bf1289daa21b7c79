"""Email through Amazon SES, API v2 (`SendEmail`).

An email is handed over as simple content: SES writes it. With attachments, or with a header that
simple content does not take (SES allows printable ASCII there), it is written here and handed over
raw. Simple content has attachments too, of late; but of what we wrote ourselves we know the size
before anybody is asked, and how a name outside ASCII is encoded.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.core.exceptions import ImproperlyConfigured, ValidationError
from django.core.validators import validate_email

from notifications.aws.clients import client
from notifications.channels import aws_errors, mime
from notifications.channels.answers import Codes, invalid_address, is_unverified
from notifications.channels.base import (
    CONNECT_TIMEOUT,
    READ_TIMEOUT,
    Accepted,
    AwsRight,
    ChannelAdapter,
    Message,
)
from notifications.channels.correlation import (
    HEADER_LENGTH,
    Correlation,
    to_headers,
    to_ses_tags,
)

_QUOTA = "daily_quota_exceeded"
_QUOTA_MESSAGE = "daily message quota exceeded"  # SES, Errors related to sending quotas
_UNVERIFIED = "sender_not_verified"
_CODES = Codes(
    paused=aws_errors.PAUSED
    | {
        _QUOTA,
        _UNVERIFIED,
        "AccountSuspendedException",
        "LimitExceededException",
        "MailFromDomainNotVerifiedException",
        "NotFoundException",  # the configuration set: every message would be refused
        "SendingPausedException",
    },
    transient=aws_errors.TRANSIENT,
    permanent=frozenset({"BadRequestException", "MessageRejected"}),
    unknown=aws_errors.UNKNOWN,
)


class SesEmail(ChannelAdapter):
    """`from_address` as in a From header; timeouts in seconds.

    `configuration_set` publishes what becomes of an email (bounces, complaints, deliveries).
    """

    provider = "ses"
    aws_rights = (
        AwsRight(
            ("ses:SendEmail", "ses:SendRawEmail"),  # SendEmail of raw content asks for the latter
            ("identity/*", "configuration-set/*"),
        ),
    )
    operation = "SendEmail"

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
        # SES: "The email address string must be 7-bit ASCII", its "friendly from" an encoded word.
        self._from_address = mime.ascii_sender(from_address)
        self._configuration_set = configuration_set
        self._timeouts = {"connect_timeout": connect_timeout, "read_timeout": read_timeout}
        # What checks an address is compiled for the first one: 30 ms of CPU, which a first send
        # with its turn in hand was late by, or, on a busy machine, several times that.
        ascii_address("anybody@example.org")

    def prepare(self) -> None:
        self._client()

    def check_address(self, address: str) -> None:
        ascii_address(address)

    def send(self, message: Message) -> Accepted:
        call = self._call(message, ascii_address(message.address))
        answer: Mapping[str, Any] = {}
        with aws_errors.translated(_CODES, address=message.address, refine=self._refine):
            answer = self._client().send_email(**call)
        return Accepted(aws_errors.name_given(answer, "MessageId"))

    def _client(self) -> Any:
        return client("sesv2", total_max_attempts=1, **self._timeouts)

    def _call(self, message: Message, recipient: str) -> dict[str, Any]:
        attached = Correlation(message.tag, message.event_type, message.subject)
        call: dict[str, Any] = {
            "FromEmailAddress": self._from_address,
            "Destination": {"ToAddresses": [recipient]},
            "Content": self._content(message, recipient, attached),
            "EmailTags": to_ses_tags(attached),
        }
        if self._configuration_set:
            call["ConfigurationSetName"] = self._configuration_set
        return call

    def _content(
        self, message: Message, recipient: str, attached: Correlation
    ) -> dict[str, dict[str, Any]]:
        """Headers as well as tags: a bounce that comes back as an email quotes only headers."""
        headers = {**to_headers(attached), **message.headers}
        if not message.attachments and all(map(_is_simple, headers.values())):
            return {"Simple": _simple(message, headers)}
        email = mime.written(
            message, sender=self._from_address, recipient=recipient, headers=headers
        ).as_bytes()
        if len(email) > mime.MAX_BYTES:
            raise mime.too_large(len(email))
        return {"Raw": {"Data": email}}

    def _refine(self, code: str, answer: Mapping[str, Any]) -> str:
        """Two things that concern every message SES says in the words for one: that there are no
        more to be sent today, and that the sender is not verified (or the recipient, while an
        account is on trial: that is the one message's)."""
        text = aws_errors.said(answer)
        if _QUOTA_MESSAGE in text.lower():
            return _QUOTA
        if is_unverified(text, self._from_address):
            return _UNVERIFIED
        return code


def _simple(message: Message, headers: Mapping[str, str]) -> dict[str, Any]:
    body = {"Text": _part(message.content.text)}
    if message.content.html:
        body["Html"] = _part(message.content.html)
    return {
        "Subject": _part(message.content.subject),
        "Body": body,
        "Headers": [{"Name": name, "Value": value} for name, value in headers.items()],
    }


def _is_simple(value: str) -> bool:
    return value.isascii() and value.isprintable() and 0 < len(value) <= HEADER_LENGTH


def _part(text: str) -> dict[str, str]:
    return {"Data": text, "Charset": "UTF-8"}


def ascii_address(address: str) -> str:
    """As SES wants it, in ASCII: the domain in its IDNA form, and no other local part. Raises
    PermanentError "invalid_address"."""
    address = address.strip()
    try:
        validate_email(address)
        local, _, domain = address.rpartition("@")
        local.encode("ascii")
        return f"{local}@{domain.encode('idna').decode('ascii')}"
    except (ValidationError, UnicodeError):
        raise invalid_address("This is no email address in ASCII.") from None
