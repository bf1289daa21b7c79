"""WhatsApp through AWS End User Messaging Social (`SendWhatsAppMessage`, Meta's payload inside)."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from django.core.exceptions import ImproperlyConfigured

from notifications.aws.clients import client
from notifications.channels import aws_errors, meta
from notifications.channels.answers import Codes
from notifications.channels.base import (
    CONNECT_TIMEOUT,
    READ_TIMEOUT,
    Accepted,
    AwsRight,
    ChannelAdapter,
    Message,
)
from notifications.channels.phone_numbers import e164

_META_CODE = re.compile(r'\(#(\d{1,6})\)|"code"\s*:\s*"?(\d{1,6})\b')

_CODES = Codes(
    paused=aws_errors.PAUSED
    | meta.PAUSED
    | {"AccessDeniedByMetaException", "ResourceNotFoundException"},  # the number we send from
    transient=aws_errors.TRANSIENT
    | meta.TRANSIENT
    | {"DependencyException", "InternalServiceException", "ThrottledRequestException"},
    permanent=meta.PERMANENT | {"InvalidParametersException", "ValidationException"},
    unknown=aws_errors.UNKNOWN,
    elsewhere=meta.ELSEWHERE,
    of_recipient=meta.OF_RECIPIENT,
)


class EndUserMessagingWhatsApp(ChannelAdapter):
    """`phone_number_id`: the sender, as End User Messaging Social names it; timeouts in seconds.

    `outside_window`: what becomes of a free text to somebody who has not written to us for 24
    hours, where the event has no template: "text" sends it, "template" refuses (`meta.suited`).
    """

    provider = "aws-whatsapp"
    aws_rights = (AwsRight(("social-messaging:SendWhatsAppMessage",), ("phone-number-id/*",)),)
    operation = "SendWhatsAppMessage"
    tells_bounces = False

    def __init__(
        self,
        phone_number_id: str,
        meta_api_version: str = "v20.0",
        connect_timeout: float = CONNECT_TIMEOUT,
        read_timeout: float = READ_TIMEOUT,
        outside_window: str = "text",
    ) -> None:
        if not phone_number_id:
            raise ImproperlyConfigured(
                "EndUserMessagingWhatsApp has no phone_number_id: give it in the options of "
                'the whatsapp channel in NOTIFICATIONS["CHANNELS"]; the shop reads it from '
                "WHATSAPP_PHONE_NUMBER_ID."
            )
        self._phone_number_id = phone_number_id
        self._meta_api_version = meta_api_version
        self._outside_window = meta.checked(outside_window)
        self._timeouts = {"connect_timeout": connect_timeout, "read_timeout": read_timeout}

    def prepare(self) -> None:
        self._client()

    def check_address(self, address: str) -> None:
        e164(address)

    def suited(self, message: Message) -> Message:
        return meta.suited(message, self._outside_window)

    def send(self, message: Message) -> Accepted:
        payload = json.dumps(meta.payload(message, e164(message.address))).encode()
        answer: Mapping[str, Any] = {}
        with aws_errors.translated(_CODES, address=message.address, refine=_refine):
            answer = self._client().send_whatsapp_message(
                originationPhoneNumberId=self._phone_number_id,
                metaApiVersion=self._meta_api_version,
                message=payload,
            )
        return Accepted(aws_errors.name_given(answer, "messageId"))

    def _client(self) -> Any:
        return client("socialmessaging", total_max_attempts=1, **self._timeouts)


def _refine(code: str, answer: Mapping[str, Any]) -> str:
    """Meta's own code where its answer was passed on: it decides, whatever AWS made of it."""
    found = _META_CODE.search(aws_errors.said(answer))
    return (found.group(1) or found.group(2)) if found else code
