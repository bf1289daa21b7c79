"""FCM HTTP v1: messages:send, and Google's OAuth2 token endpoint for service accounts."""

from __future__ import annotations

import time
from typing import Any

from aiohttp import web

from notifications.channels import correlation
from notifications.local.providers.store import Incoming
from notifications.local.providers.wire import Malformed, Wire, answer, json_object

TOKEN_LIFETIME = 3600.0
_TOKEN = "sandbox-until-"  # noqa: S105 - what our tokens start with
_ERRORS = {  # error code: (HTTP status, canonical status); FCM documentation, ErrorCode
    "INVALID_ARGUMENT": (400, "INVALID_ARGUMENT"),
    "UNREGISTERED": (404, "NOT_FOUND"),
    "SENDER_ID_MISMATCH": (403, "PERMISSION_DENIED"),
    "QUOTA_EXCEEDED": (429, "RESOURCE_EXHAUSTED"),
    "UNAVAILABLE": (503, "UNAVAILABLE"),
    "INTERNAL": (500, "INTERNAL"),
    "THIRD_PARTY_AUTH_ERROR": (401, "UNAUTHENTICATED"),
}
_CANONICAL = {"UNAUTHENTICATED": 401, "PERMISSION_DENIED": 403, "NOT_FOUND": 404}
_FCM_ERROR = "type.googleapis.com/google.firebase.fcm.v1.FcmError"


class FcmWire(Wire):
    channel = "push"

    def read(self, request: web.Request, body: bytes) -> Incoming:
        if not _valid(request.headers.get("Authorization", "")):
            raise Malformed("UNAUTHENTICATED", "The access token is missing, foreign or expired.")
        message = json_object(body, "INVALID_ARGUMENT").get("message") or {}
        device = message.get("token")
        if not isinstance(device, str) or not device:
            raise Malformed("INVALID_ARGUMENT", "Recipient of the message is not set.")
        data = message.get("data") or {}
        if not all(isinstance(value, str) for value in data.values()):
            raise Malformed("INVALID_ARGUMENT", "Invalid value at 'message.data' (TYPE_STRING).")
        shown = message.get("notification") or {}
        return Incoming(
            addresses=(device,),
            correlation=correlation.from_fcm_data(data),
            text=str(shown.get("body") or ""),
            title=str(shown.get("title") or ""),
            sender=request.match_info["project"],
        )

    def accepted(self, provider_message_id: str) -> web.Response:
        return _json(200, {"name": f"projects/sandbox/messages/{provider_message_id}"})

    def throttled(self) -> web.Response:
        return self.refused("QUOTA_EXCEEDED", "Quota exceeded.")

    def failed(self, status: int) -> web.Response:
        return _error(status, "UNAVAILABLE" if status == 503 else "INTERNAL")

    def refused(self, code: str, message: str = "") -> web.Response:
        if code in _CANONICAL:
            return _error(_CANONICAL[code], code, message, specific=False)
        return _error(_ERRORS.get(code, (400, ""))[0], code, message)


class TokenWire:
    """Google's token endpoint. Any assertion is good: signatures are google-auth's business."""

    def issued(self, expires_in: float | None) -> web.Response:
        """Tokens carry their own end, so one from before a restart of the sandbox still holds."""
        seconds = TOKEN_LIFETIME if expires_in is None else expires_in
        token = f"{_TOKEN}{time.time() + seconds:.3f}"
        return _json(
            200, {"access_token": token, "expires_in": int(seconds), "token_type": "Bearer"}
        )

    def refused(self, code: str) -> web.Response:
        return _json(400, {"error": code, "error_description": "Refused by the sandbox's script."})

    def failed(self, status: int) -> web.Response:
        return _json(status, {"error": "internal_failure"})


def _valid(authorization: str) -> bool:
    scheme, _, token = authorization.partition(" ")
    if scheme != "Bearer" or not token.startswith(_TOKEN):
        return False
    try:
        return float(token.removeprefix(_TOKEN)) > time.time()
    except ValueError:
        return False


def _json(status: int, body: dict[str, Any]) -> web.Response:
    return answer(status, body, "application/json")


def _error(status: int, code: str, message: str = "", *, specific: bool = True) -> web.Response:
    error: dict[str, Any] = {
        "code": status,
        "message": message or "Refused by the sandbox's script.",
        "status": _ERRORS[code][1] if code in _ERRORS else code,
    }
    if specific:
        error["details"] = [{"@type": _FCM_ERROR, "errorCode": code}]
    return _json(status, {"error": error})
