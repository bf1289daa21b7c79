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
        return read_message(_payload(call), str(call.get("originationPhoneNumberId") or ""), _BAD)

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


def read_message(message: dict[str, Any], sender: str, bad: str) -> Incoming:
    """Meta's own payload, as both ways to WhatsApp carry it; `bad`: the code of a wrong one."""
    to, kind = message.get("to"), message.get("type", "text")
    if message.get("messaging_product") != "whatsapp" or not isinstance(to, str) or not to:
        raise Malformed(bad, "(#100) messaging_product and to are required.")
    if not isinstance(message.get(kind), dict):
        raise Malformed(bad, f"(#100) Invalid parameter: {kind} is required.")
    template = message.get("template") or {}
    language = (template.get("language") or {}).get("code")
    if kind == "template" and not language:
        raise Malformed(bad, "(#100) Invalid parameter: template.language.code is required.")
    return Incoming(
        addresses=(to,),
        correlation=correlation.from_whatsapp_callback(
            str(message.get("biz_opaque_callback_data") or "")
        ),
        text=_text(message),
        title=f"{template.get('name')} ({language})" if template else "",
        sender=sender,
    )


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
