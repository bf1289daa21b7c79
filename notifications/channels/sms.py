"""SMS through AWS End User Messaging (`pinpoint-sms-voice-v2`, `SendTextMessage`)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from notifications.aws.clients import client
from notifications.channels import aws_errors
from notifications.channels.answers import Codes
from notifications.channels.base import (
    CONNECT_TIMEOUT,
    READ_TIMEOUT,
    Accepted,
    AwsRight,
    ChannelAdapter,
    Message,
)
from notifications.channels.correlation import Correlation, to_sms_context
from notifications.channels.phone_numbers import e164
from notifications.channels.sms_parts import parts
from notifications.channels.sms_senders import Senders

_UNCONFIGURED = "configuration_set_not_found"
_CODES = Codes(
    paused=aws_errors.PAUSED | {"ServiceQuotaExceededException", _UNCONFIGURED},
    transient=aws_errors.TRANSIENT | {"InternalServerException"},
    permanent=frozenset({"ConflictException", "ResourceNotFoundException", "ValidationException"}),
    unknown=aws_errors.UNKNOWN,
    elsewhere=frozenset(
        {
            "COUNTRY_NOT_ENABLED",
            "DESTINATION_PHONE_NUMBER_NOT_VERIFIED",
            "INTERNATIONAL_SENDING_NOT_SUPPORTED",
            "INVALID_IDENTITY_FOR_DESTINATION_COUNTRY",
            "MESSAGE_TYPE_MISMATCH",
            "NO_ORIGINATION_IDENTITIES_FOUND",
            "NUMBER_CAPABILITIES_MISMATCH",
            "RESOURCE_NOT_ACTIVE",
            "ResourceNotFoundException",
            "SENDER_ID_NOT_REGISTERED",
            "SENDER_ID_NOT_SUPPORTED",
            "SENDER_ID_REQUIRES_REGISTRATION",
        }
    ),  # what our own rules block (protection, a price) is blocked whoever sends it
)


class EndUserMessagingSms(ChannelAdapter):
    """`origination_identity`: a phone number, sender id or pool; empty: AWS chooses one of yours.
    `senders`: another one by the number's country ({"US": "+1…", "DE": "MyShop", "*": "pool-…"}).

    `configuration_set` publishes what becomes of a message; timeouts in seconds.
    """

    provider = "aws-sms"
    aws_rights = (AwsRight(("sms-voice:SendTextMessage",), ("*",)),)
    operation = "SendTextMessage"

    def __init__(
        self,
        origination_identity: str = "",
        configuration_set: str = "",
        message_type: str = "TRANSACTIONAL",
        connect_timeout: float = CONNECT_TIMEOUT,
        read_timeout: float = READ_TIMEOUT,
        senders: Mapping[str, str] | None = None,
    ) -> None:
        self._senders = Senders(senders or {}, otherwise=origination_identity)
        optional = {
            "ConfigurationSetName": configuration_set,
            "MessageType": message_type,
        }
        self._always = {name: value for name, value in optional.items() if value}
        self._timeouts = {"connect_timeout": connect_timeout, "read_timeout": read_timeout}

    def prepare(self) -> None:
        self._client()

    def check_address(self, address: str) -> None:
        e164(address)

    def send(self, message: Message) -> Accepted:
        call = self._call(message, e164(message.address))
        answer: Mapping[str, Any] = {}
        with aws_errors.translated(_CODES, address=message.address, refine=_refine):
            answer = self._client().send_text_message(**call)
        return Accepted(aws_errors.name_given(answer, "MessageId"))

    def weight(self, message: Message) -> int:
        """Its parts: a number's rate is in these ("message parts per second", MPS).
        https://docs.aws.amazon.com/sms-voice/latest/userguide/sms-limitations-mps.html"""
        return parts(message.content.text)

    def _client(self) -> Any:
        return client("pinpoint-sms-voice-v2", total_max_attempts=1, **self._timeouts)

    def _call(self, message: Message, number: str) -> dict[str, Any]:
        attached = Correlation(message.tag, message.event_type, message.subject)
        sender = self._senders.of(number)
        return {
            **self._always,
            **({"OriginationIdentity": sender} if sender else {}),
            "DestinationPhoneNumber": number,
            "MessageBody": message.content.text,
            "Context": to_sms_context(attached),
        }


def _refine(code: str, answer: Mapping[str, Any]) -> str:
    """A configuration set that is not there fails every message; a sender, only its country's."""
    if code == "ResourceNotFoundException" and answer.get("ResourceType") == "configuration-set":
        return _UNCONFIGURED
    return code
