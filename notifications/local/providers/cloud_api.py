"""Meta's Cloud API: `POST /<version>/<phone number id>/messages` (the Graph API's JSON)."""

from __future__ import annotations

from typing import Any

from aiohttp import web

from notifications.local.providers.social import read_message
from notifications.local.providers.store import Incoming
from notifications.local.providers.wire import Malformed, Wire, answer, json_object

_STATUS = {"0": 401, "190": 401, "10": 403, "368": 403, "131031": 403, "2": 503, "131000": 500}
"""HTTP statuses of Meta's codes, a few of them; of all others 400, on purpose: whoever decides by
status decides wrong."""


class CloudApiWire(Wire):
    channel = "whatsapp"

    def read(self, request: web.Request, body: bytes) -> Incoming:
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        if scheme != "Bearer" or not token:
            raise Malformed("190", "Invalid OAuth access token.")
        return read_message(json_object(body, "100"), request.match_info["sender"], "100")

    def accepted(self, provider_message_id: str) -> web.Response:
        messages = [{"id": f"wamid.{provider_message_id}"}]
        return _json(200, {"messaging_product": "whatsapp", "messages": messages})

    def throttled(self) -> web.Response:
        return self.refused("130429", "Rate limit hit")

    def failed(self, status: int) -> web.Response:
        return _error(status, "131000", "Something went wrong")

    def refused(self, code: str, message: str = "") -> web.Response:
        return _error(_STATUS.get(code, 400), code, message or "Refused by the sandbox's script.")


def _json(status: int, body: dict[str, Any]) -> web.Response:
    return answer(status, body, "application/json")


def _error(status: int, code: str, message: str) -> web.Response:
    error = {
        "message": f"(#{code}) {message}",
        "type": "OAuthException",
        "code": int(code) if code.isdigit() else code,
        "error_data": {"messaging_product": "whatsapp", "details": message},
        "fbtrace_id": "sandbox",
    }
    return _json(status, {"error": error})
