"""WhatsApp through Meta's own Cloud API (`/<phone number id>/messages`), by httpx."""

from __future__ import annotations

import threading
import weakref
from typing import Any

import httpx
from django.core.exceptions import ImproperlyConfigured

from notifications.channels import http_errors, meta
from notifications.channels.answers import Codes, retry_after
from notifications.channels.base import (
    CONNECT_TIMEOUT,
    READ_TIMEOUT,
    Accepted,
    ChannelAdapter,
    Message,
)
from notifications.channels.phone_numbers import e164
from notifications.exceptions import NotificationError
from notifications.redaction import redact

ENDPOINT = "https://graph.facebook.com"
API_VERSION = "v23.0"
_CODES = Codes(
    paused=meta.PAUSED,
    transient=meta.TRANSIENT,
    permanent=meta.PERMANENT,
    unknown=frozenset({"http_504"}),
    elsewhere=meta.ELSEWHERE,
    of_recipient=meta.OF_RECIPIENT,
)


class CloudApiWhatsApp(ChannelAdapter):
    """`phone_number_id`: the sender, as Meta names it; `access_token`: of a system user, with the
    right `whatsapp_business_messaging`. Timeouts in seconds.

    `outside_window`: what becomes of a free text to somebody who has not written to us for 24
    hours, where the event has no template: "text" sends it, "template" refuses (`meta.suited`).
    """

    provider = "meta-whatsapp"
    operation = "POST messages"
    tells_bounces = False

    def __init__(
        self,
        phone_number_id: str,
        access_token: str,
        endpoint: str = ENDPOINT,
        api_version: str = API_VERSION,
        connect_timeout: float = CONNECT_TIMEOUT,
        read_timeout: float = READ_TIMEOUT,
        outside_window: str = "text",
    ) -> None:
        if not phone_number_id or not access_token:
            raise ImproperlyConfigured(
                "CloudApiWhatsApp has no phone_number_id or no access_token: give both in the "
                'options of the whatsapp channel in NOTIFICATIONS["CHANNELS"]; the shop reads them '
                "from WHATSAPP_PHONE_NUMBER_ID and WHATSAPP_ACCESS_TOKEN."
            )
        self._url = f"{endpoint.rstrip('/')}/{api_version}/{phone_number_id}/messages"
        self._headers = {"Authorization": f"Bearer {access_token}"}
        self._timeouts = {"connect_timeout": connect_timeout, "read_timeout": read_timeout}
        self._outside_window = meta.checked(outside_window)
        self._lock = threading.Lock()
        self._http: httpx.Client | None = None

    def prepare(self) -> None:
        self._client()

    def check_address(self, address: str) -> None:
        e164(address)

    def suited(self, message: Message) -> Message:
        return meta.suited(message, self._outside_window)

    def send(self, message: Message) -> Accepted:
        body = meta.payload(message, e164(message.address))
        http = self._client()
        with http_errors.translated("Meta"):
            answer = http.post(self._url, json=body, headers=self._headers)
        if not answer.is_success:
            raise _refused(answer, message.address)
        return Accepted(_message_id(answer))

    def _client(self) -> httpx.Client:
        """Made at the first send: whoever made the adapter may have forked since."""
        if self._http is None:
            with self._lock:
                if self._http is None:
                    http = http_errors.client(**self._timeouts)
                    weakref.finalize(self, http.close)  # an adapter is dropped, never closed
                    self._http = http
        return self._http


def _refused(answer: httpx.Response, address: str) -> NotificationError:
    """Meta's code decides, not the HTTP status, which tells less (Error codes)."""
    error = _error(answer)
    given = error.get("code")
    code = str(given) if isinstance(given, int | str) else f"http_{answer.status_code}"
    details = error.get("error_data")
    said = (error.get("message"), details.get("details") if isinstance(details, dict) else None)
    text = redact(": ".join(str(part) for part in said if part), address=address)
    wait = retry_after(answer.headers.get("Retry-After"))
    return _CODES.error(code, answer.status_code, text, wait)


def _error(answer: httpx.Response) -> dict[str, Any]:
    """Meta's error object; empty when something before Meta answered."""
    error = http_errors.json_object(answer).get("error")
    return error if isinstance(error, dict) else {}


def _message_id(answer: httpx.Response) -> str:
    """`wamid.…`. Accepted, whatever the body is like."""
    try:
        return str(http_errors.json_object(answer)["messages"][0]["id"])
    except (LookupError, TypeError):
        return ""
