"""AWS End User Messaging SMS: SendTextMessage (AWS JSON 1.0, `pinpoint-sms-voice-v2`)."""

from __future__ import annotations

import re
from typing import Any

from aiohttp import web

from notifications.channels import correlation
from notifications.local.providers.store import Incoming
from notifications.local.providers.wire import Malformed, Wire, answer, json_object

_TARGET = "PinpointSMSVoiceV2.SendTextMessage"
_PHONE = re.compile(r"\+?[1-9][0-9]{1,18}\Z")
_BODY_LENGTH = 1600
_REASONS = {
    "ConflictException": "DESTINATION_PHONE_NUMBER_OPTED_OUT",
    "ServiceQuotaExceededException": "MONTHLY_SPEND_LIMIT_REACHED_FOR_TEXT",
    "AccessDeniedException": "ACCOUNT_DISABLED",
    "ValidationException": "DESTINATION_COUNTRY_BLOCKED",
}


class SmsWire(Wire):
    """A refusal's code may name its reason: `ConflictException:DESTINATION_PHONE_NUMBER_OPTED_OUT`;
    of a ResourceNotFoundException, the kind of what is not there."""

    channel = "sms"

    def read(self, request: web.Request, body: bytes) -> Incoming:
        if request.headers.get("X-Amz-Target") != _TARGET:
            raise Malformed("UnknownOperationException", "The sandbox knows SendTextMessage only.")
        call = json_object(body, "SerializationException")
        phone, text = call.get("DestinationPhoneNumber"), call.get("MessageBody")
        if not isinstance(phone, str) or not _PHONE.match(phone):
            raise Malformed("ValidationException", "DestinationPhoneNumber is not valid.")
        if not isinstance(text, str) or not text.strip() or len(text) > _BODY_LENGTH:
            raise Malformed("ValidationException", "MessageBody must have 1 to 1600 characters.")
        return Incoming(
            addresses=(phone,),
            correlation=correlation.from_sms_context(call.get("Context") or {}),
            text=text,
            sender=str(call.get("OriginationIdentity") or ""),
        )

    def accepted(self, provider_message_id: str) -> web.Response:
        return _json(200, {"MessageId": provider_message_id})

    def throttled(self) -> web.Response:
        return _error(400, "ThrottlingException", "Rate exceeded")

    def failed(self, status: int) -> web.Response:
        return _error(status, "InternalServerException", "Internal server error")

    def refused(self, code: str, message: str = "") -> web.Response:
        status = 500 if code == "InternalServerException" else 400
        return _error(status, code, message or "Refused by the sandbox's script.")


def _json(status: int, body: dict[str, Any]) -> web.Response:
    return answer(status, body, "application/x-amz-json-1.0")


def _error(status: int, code: str, message: str) -> web.Response:
    code, _, reason = code.partition(":")
    body = {"__type": code, "Message": message}
    if reason := reason or _REASONS.get(code, ""):
        body["ResourceType" if code == "ResourceNotFoundException" else "Reason"] = reason
    return _json(status, body)
