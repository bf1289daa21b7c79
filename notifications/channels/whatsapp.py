"""WhatsApp through AWS End User Messaging Social (`SendWhatsAppMessage`, Meta's payload inside)."""

from __future__ import annotations

import json
import re
from typing import Any

from django.core.exceptions import ImproperlyConfigured

from notifications.aws.clients import client
from notifications.channels import aws_errors
from notifications.channels.answers import Codes
from notifications.channels.base import (
    CONNECT_TIMEOUT,
    READ_TIMEOUT,
    Accepted,
    ChannelAdapter,
    Message,
)
from notifications.channels.correlation import Correlation, to_whatsapp_callback
from notifications.channels.phone_numbers import e164

# Meta's codes: developers.facebook.com, WhatsApp Business Platform, Error codes.
_META_PAUSED = {"0", "10", "190", "368", "131031", "131048"} | {str(n) for n in range(200, 300)}
_META_TRANSIENT = {"2", "4", "80007", "130429", "131000", "131056"}
_META_PERMANENT = {"131009", "131026", "131047", "131051"}
_META_CODE = re.compile(r'\(#(\d{1,6})\)|"code"\s*:\s*"?(\d{1,6})\b')

_CODES = Codes(
    paused=aws_errors.PAUSED | _META_PAUSED,
    transient=aws_errors.TRANSIENT
    | _META_TRANSIENT
    | {"DependencyException", "InternalServiceException", "ThrottledRequestException"},
    permanent=frozenset(_META_PERMANENT)
    | {"InvalidParametersException", "ResourceNotFoundException", "ValidationException"},
)


class EndUserMessagingWhatsApp(ChannelAdapter):
    """`phone_number_id`: the sender, as End User Messaging Social names it; timeouts in seconds."""

    provider = "aws-whatsapp"

    def __init__(
        self,
        phone_number_id: str,
        meta_api_version: str = "v20.0",
        connect_timeout: float = CONNECT_TIMEOUT,
        read_timeout: float = READ_TIMEOUT,
    ) -> None:
        if not phone_number_id:
            raise ImproperlyConfigured(
                "EndUserMessagingWhatsApp has no phone_number_id: give it in the options of "
                'the whatsapp channel in NOTIFICATIONS["CHANNELS"].'
            )
        self._phone_number_id = phone_number_id
        self._meta_api_version = meta_api_version
        self._timeouts = {"connect_timeout": connect_timeout, "read_timeout": read_timeout}

    def prepare(self) -> None:
        self._client()

    def check_address(self, address: str) -> None:
        e164(address)

    def send(self, message: Message) -> Accepted:
        payload = _payload(message, e164(message.address))
        with aws_errors.translated(_CODES, address=message.address, refine=_refine):
            answer = self._client().send_whatsapp_message(
                originationPhoneNumberId=self._phone_number_id,
                metaApiVersion=self._meta_api_version,
                message=payload,
            )
        return Accepted(answer["messageId"])

    def _client(self) -> Any:
        return client("socialmessaging", total_max_attempts=1, **self._timeouts)


def _payload(message: Message, number: str) -> bytes:
    attached = Correlation(message.tag, message.event_type, message.subject)
    return json.dumps(
        {
            "messaging_product": "whatsapp",
            "recipient_type": "individual",
            "to": number,
            "type": "text",
            "text": {"body": message.content.text, "preview_url": False},
            "biz_opaque_callback_data": to_whatsapp_callback(attached),
        }
    ).encode()


def _refine(code: str, message: str) -> str:
    """Meta's own code where its answer was passed on: it decides, whatever AWS made of it."""
    found = _META_CODE.search(message)
    return (found.group(1) or found.group(2)) if found else code
