"""A customer's webhook endpoint: checks a Standard Webhooks signature (standardwebhooks.com)."""

from __future__ import annotations

import base64
import hashlib
import hmac
import time
from collections.abc import Mapping

from aiohttp import web

from notifications.channels import correlation
from notifications.local.providers.store import Incoming
from notifications.local.providers.wire import Malformed, Wire, answer

DEFAULT_SECRET = "whsec_dGhlIHNhbmRib3gncyBvd24gd2ViaG9vayBzZWNyZXQ="  # noqa: S105 - of this sandbox only
_NONE: Mapping[str, str] = {}
TOLERANCE = 300.0
"""Seconds a timestamp may be off (the specification's own suggestion)."""


class WebhookWire(Wire):
    channel = "webhook"

    def __init__(self, secret: str = DEFAULT_SECRET, secrets: Mapping[str, str] = _NONE) -> None:
        """`secrets`: of the endpoints that have one of their own, by name."""
        self._secret, self._secrets = secret, secrets

    def read(self, request: web.Request, body: bytes) -> Incoming:
        message_id = request.headers.get("webhook-id", "")
        timestamp = request.headers.get("webhook-timestamp", "")
        if not message_id or not _recent(timestamp):
            raise Malformed("401", "webhook-id is missing or webhook-timestamp is not of now.")
        signed = f"{message_id}.{timestamp}.".encode() + body
        secret = self._secrets.get(request.match_info["name"], self._secret)
        key = base64.b64decode(secret.removeprefix("whsec_"))
        expected = base64.b64encode(hmac.digest(key, signed, hashlib.sha256)).decode()
        given = request.headers.get("webhook-signature", "").split()
        if not any(hmac.compare_digest(each, f"v1,{expected}") for each in given):
            raise Malformed("401", "No signature in webhook-signature is ours.")
        found = correlation.from_headers(request.headers.get)
        return Incoming(
            addresses=(str(request.url),),
            correlation=correlation.Correlation(
                found.tag or message_id, found.event_type, found.subject
            ),
            text=body.decode(errors="replace"),
            title=request.match_info["name"],
        )

    def accepted(self, provider_message_id: str) -> web.Response:
        return web.Response(status=204)

    def throttled(self) -> web.Response:
        return self.refused("429", "too many requests")

    def failed(self, status: int) -> web.Response:
        return _error(status, "failed by the sandbox's script")

    def refused(self, code: str, message: str = "") -> web.Response:
        digits = code.removeprefix("http_")
        status = int(digits) if digits.isdigit() and 300 <= int(digits) <= 599 else 400
        response = _error(status, message or f"refused by the sandbox's script: {code}")
        if status < 400:
            response.headers["Location"] = "http://169.254.169.254/latest/meta-data/"
        return response


def _recent(timestamp: str) -> bool:
    return timestamp.isdigit() and abs(time.time() - int(timestamp)) <= TOLERANCE


def _error(status: int, message: str) -> web.Response:
    return answer(status, {"error": message}, "application/json")
