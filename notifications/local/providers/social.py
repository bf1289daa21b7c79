"""AWS End User Messaging Social: SendWhatsAppMessage (rest-json, Meta's payload inside)."""

from __future__ import annotations

import base64
import binascii
from typing import Any

from aiohttp import web

from notifications.channels import correlation
from notifications.local.providers.store import Incoming
from notifications.local.providers.wire import Malformed, Wire, answer, json_object

_STATUS = {
    "AccessDeniedException": 403,
    "ResourceNotFoundException": 404,
    "ThrottledRequestException": 429,
    "InternalServiceException": 500,
    "DependencyException": 502,
}
_BAD = "InvalidParametersException"


class WhatsAppWire(Wire):
    """A refusal whose code is a number is Meta's, passed on inside a DependencyException.

    One status for all of Meta's codes, on purpose: whoever decides by status decides wrong.
    """

    channel = "whatsapp"

    def read(self, request: web.Request, body: bytes) -> Incoming:
        call = json_object(body, "ValidationException")
        message = _payload(call)
        to = message.get("to")
        if message.get("messaging_product") != "whatsapp" or not isinstance(to, str) or not to:
            raise Malformed(_BAD, "(#100) messaging_product and to are required.")
        return Incoming(
            addresses=(to,),
            correlation=correlation.from_whatsapp_callback(
                str(message.get("biz_opaque_callback_data") or "")
            ),
            text=_text(message),
            title=str((message.get("template") or {}).get("name") or ""),
            sender=str(call.get("originationPhoneNumberId") or ""),
        )

    def accepted(self, provider_message_id: str) -> web.Response:
        return _json(200, {"messageId": provider_message_id})

    def throttled(self) -> web.Response:
        return self.refused("ThrottledRequestException", "Rate exceeded")

    def failed(self, status: int) -> web.Response:
        return _error(status, "InternalServiceException", "Internal service error")

    def refused(self, code: str, message: str = "") -> web.Response:
        message = message or "Refused by the sandbox's script."
        if code.isdigit():
            return _error(502, "DependencyException", f"(#{code}) {message}")
        return _error(_STATUS.get(code, 400), code, message)


def _payload(call: dict[str, Any]) -> dict[str, Any]:
    try:
        data = base64.b64decode(call.get("message") or "", validate=True)
    except (binascii.Error, ValueError):
        raise Malformed("ValidationException", "message is not base64.") from None
    return json_object(data, _BAD)


def _text(message: dict[str, Any]) -> str:
    """The text as the customer reads it: the body, or a template's parameters line by line."""
    if message.get("type") == "template":
        components = (message.get("template") or {}).get("components") or ()
        return "\n".join(
            str(parameter.get("text", ""))
            for component in components
            for parameter in component.get("parameters") or ()
        )
    return str((message.get("text") or {}).get("body") or "")


def _json(status: int, body: dict[str, Any], **headers: str) -> web.Response:
    return answer(status, body, "application/json", **headers)


def _error(status: int, code: str, message: str) -> web.Response:
    return _json(status, {"message": message}, x_amzn_ErrorType=code)
