"""A wire protocol: reads what an SDK sends; answers so that the SDK raises its real exception."""

from __future__ import annotations

import json
import math
from abc import ABC, abstractmethod
from typing import Any

from aiohttp import web

from notifications.local.providers.store import Incoming


class Malformed(Exception):
    """A request that this provider would refuse whatever the script says."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(code, message)
        self.code = code
        self.message = message


class Wire(ABC):
    """One provider of one channel. Each answer has the provider's own form."""

    channel: str

    @abstractmethod
    def read(self, request: web.Request, body: bytes) -> Incoming:
        """What is to be sent to whom. Raises Malformed."""

    @abstractmethod
    def accepted(self, provider_message_id: str) -> web.Response: ...

    def taken(self, incoming: Incoming, provider_message_id: str) -> web.Response:
        """What is said of a message that was taken: by most providers, its id alone."""
        return self.accepted(provider_message_id)

    @abstractmethod
    def throttled(self) -> web.Response: ...

    @abstractmethod
    def failed(self, status: int) -> web.Response: ...

    @abstractmethod
    def refused(self, code: str, message: str = "") -> web.Response: ...


def answer(status: int, body: dict[str, Any], content_type: str, **headers: str) -> web.Response:
    """A JSON answer; an underscore in a header's name stands for a hyphen."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return web.Response(
        status=status, body=json.dumps(body).encode(), content_type=content_type, headers=named
    )


def with_retry_after(response: web.Response, seconds: float | None) -> web.Response:
    """Whole seconds, rounded up: the header knows no others (RFC 9110, section 10.2.3)."""
    if seconds is not None:
        response.headers["Retry-After"] = str(math.ceil(seconds))
    return response


def json_object(body: bytes, code: str) -> dict[str, Any]:
    try:
        found = json.loads(body)
    except ValueError:
        raise Malformed(code, "The body is not JSON.") from None
    if not isinstance(found, dict):
        raise Malformed(code, "The body is not a JSON object.")
    return found
