"""Postmark's API (`POST /email`), for email through django-anymail: a provider that is not ours."""

from __future__ import annotations

from email.utils import getaddresses
from typing import Any

from aiohttp import web

from notifications.channels import correlation
from notifications.local.providers.store import Incoming
from notifications.local.providers.wire import Malformed, Wire, answer, json_object

_TOKEN, _INVALID = "10", "300"  # bad or missing API token; invalid request


class PostmarkWire(Wire):
    """A refusal's code is one of Postmark's own: HTTP 422, and 401 for the token."""

    channel = "email"

    def read(self, request: web.Request, body: bytes) -> Incoming:
        if not request.headers.get("X-Postmark-Server-Token"):
            raise Malformed(_TOKEN, "No API token was given.")
        email = json_object(body, _INVALID)
        named = [str(email[name]) for name in ("To", "Cc", "Bcc") if email.get(name)]
        addresses = tuple(address for _, address in getaddresses(named))
        if not addresses or not all("@" in address for address in addresses):
            raise Malformed(_INVALID, "Invalid 'To' address: ''.")
        headers = {str(each["Name"]): str(each["Value"]) for each in email.get("Headers") or ()}
        by_lower = {name.lower(): value for name, value in headers.items()}
        return Incoming(
            addresses=addresses,
            correlation=correlation.from_headers(lambda name: by_lower.get(name.lower())),
            text=str(email.get("TextBody") or ""),
            title=str(email.get("Subject") or ""),
            html=str(email.get("HtmlBody") or ""),
            sender=str(email.get("From") or ""),
            headers=headers,
            attachments=tuple(str(each["Name"]) for each in email.get("Attachments") or ()),
        )

    def taken(self, incoming: Incoming, provider_message_id: str) -> web.Response:
        to = ", ".join(incoming.addresses)
        said = {"ErrorCode": 0, "Message": "OK", "To": to, "MessageID": provider_message_id}
        return _json(200, said)

    def accepted(self, provider_message_id: str) -> web.Response:
        return _json(200, {"ErrorCode": 0, "Message": "OK", "MessageID": provider_message_id})

    def throttled(self) -> web.Response:
        return _json(429, {"ErrorCode": 429, "Message": "Rate limit exceeded"})

    def failed(self, status: int) -> web.Response:
        return _json(status, {"ErrorCode": 0, "Message": "Internal server error"})

    def refused(self, code: str, message: str = "") -> web.Response:
        said = {
            "ErrorCode": int(code) if code.isdigit() else 0,
            "Message": message or "Refused by the sandbox's script.",
        }
        return _json(401 if code == _TOKEN else 422, said)


def _json(status: int, body: dict[str, Any]) -> web.Response:
    return answer(status, body, "application/json")
