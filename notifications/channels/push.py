"""Push through Firebase Cloud Messaging, HTTP v1 (`messages:send`), by httpx and google-auth."""

from __future__ import annotations

import threading
import weakref
from typing import Any

import httpx

from notifications.channels import http_errors
from notifications.channels.answers import Codes, invalid_address, retry_after
from notifications.channels.base import (
    CONNECT_TIMEOUT,
    READ_TIMEOUT,
    Accepted,
    ChannelAdapter,
    Message,
)
from notifications.channels.correlation import Correlation, to_fcm_data, to_fcm_label
from notifications.channels.google_tokens import AccessTokens
from notifications.exceptions import NotificationError, ProviderPaused
from notifications.redaction import redact

ENDPOINT = "https://fcm.googleapis.com"
SCOPE = "https://www.googleapis.com/auth/firebase.messaging"
_FCM_ERROR = "type.googleapis.com/google.firebase.fcm.v1.FcmError"
_CODES = Codes(
    paused=frozenset({"THIRD_PARTY_AUTH_ERROR", "UNAUTHENTICATED", "PERMISSION_DENIED"}),
    transient=frozenset(
        {"ABORTED", "INTERNAL", "QUOTA_EXCEEDED", "RESOURCE_EXHAUSTED", "UNAVAILABLE", "UNKNOWN"}
    ),
    permanent=frozenset({"INVALID_ARGUMENT", "NOT_FOUND", "SENDER_ID_MISMATCH", "UNREGISTERED"}),
    # "May be returned even if the operation has completed successfully" (google.rpc.Code).
    unknown=frozenset({"DEADLINE_EXCEEDED", "http_504"}),
)
_INVALID_TOKEN = "INVALID_TOKEN"  # noqa: S105 - a code of ours: INVALID_ARGUMENT, of the token
# What says that a token is dead (FCM, Manage registration tokens). NOT_FOUND by itself does not:
# it may be the project that is not found, and every token would seem dead then.
_DEAD = frozenset({"UNREGISTERED", "SENDER_ID_MISMATCH", _INVALID_TOKEN})


class FcmPush(ChannelAdapter):
    """`project_id`: empty takes the one of the credentials; timeouts in seconds."""

    provider = "fcm"
    operation = "messages:send"
    tells_bounces = False  # it says at once that a device is gone
    gone = _DEAD

    def __init__(
        self,
        project_id: str = "",
        endpoint: str = ENDPOINT,
        connect_timeout: float = CONNECT_TIMEOUT,
        read_timeout: float = READ_TIMEOUT,
    ) -> None:
        self._project_id = project_id
        self._endpoint = endpoint.rstrip("/")
        self._timeouts = {"connect_timeout": connect_timeout, "read_timeout": read_timeout}
        self._lock = threading.Lock()
        self._connected: tuple[httpx.Client, AccessTokens] | None = None

    def prepare(self) -> None:
        _, tokens = self._connection()
        tokens.current()

    def check_address(self, address: str) -> None:
        _device(address)

    def send(self, message: Message) -> Accepted:
        body = {"message": _payload(message, _device(message.address))}
        http, tokens = self._connection()
        url, token = self._url(tokens), tokens.current()
        with http_errors.translated("FCM"):
            answer = http.post(url, json=body, headers={"Authorization": f"Bearer {token}"})
        if answer.status_code == httpx.codes.UNAUTHORIZED:
            tokens.forget(token)
        if not answer.is_success:
            raise _refused(answer, message.address)
        return Accepted(_message_id(answer))

    def _connection(self) -> tuple[httpx.Client, AccessTokens]:
        """Made at the first send: whoever made the adapter may have forked since."""
        if self._connected is None:
            with self._lock:
                if self._connected is None:
                    http = http_errors.client(**self._timeouts)
                    weakref.finalize(self, http.close)  # an adapter is dropped, never closed
                    self._connected = http, AccessTokens(http, (SCOPE,))
        return self._connected

    def _url(self, tokens: AccessTokens) -> str:
        project_id = self._project_id or tokens.project_id
        if not project_id:
            raise ProviderPaused(
                "FcmPush has no project_id, and the Google credentials name none: give it in "
                'the options of the push channel in NOTIFICATIONS["CHANNELS"].',
                "no_project_id",
            )
        return f"{self._endpoint}/v1/projects/{project_id}/messages:send"


def _payload(message: Message, device: str) -> dict[str, Any]:
    """With one key for all attempts, so that a device that gets two shows one."""
    attached = Correlation(message.tag, message.event_type, message.subject)
    shown = {"title": message.content.subject, "body": message.content.text}
    payload: dict[str, Any] = {
        "token": device,
        "notification": {name: text for name, text in shown.items() if text},
        "data": to_fcm_data(attached),
        "android": {"notification": {"tag": message.idempotency_key}},
        "apns": {"headers": {"apns-collapse-id": message.idempotency_key[:64]}},
    }
    if label := to_fcm_label(attached):
        payload["fcm_options"] = {"analytics_label": label}
    return payload


def _device(address: str) -> str:
    device = address.strip()
    if not device or any(letter.isspace() for letter in device):
        raise invalid_address("This is no FCM registration token.")
    return device


def _refused(answer: httpx.Response, address: str) -> NotificationError:
    error = _error(answer)
    code = _fcm_code(error) or str(error.get("status") or f"http_{answer.status_code}")
    message = redact(str(error.get("message") or ""), address=address)
    wait = retry_after(answer.headers.get("Retry-After"))
    return _CODES.error(_refined(code, error), answer.status_code, message, wait)


def _error(answer: httpx.Response) -> dict[str, Any]:
    """FCM's error object; empty when something before FCM answered."""
    error = http_errors.json_object(answer).get("error")
    return error if isinstance(error, dict) else {}


def _fcm_code(error: dict[str, Any]) -> str:
    """FCM's own code, which is finer than the status beside it (FCM, ErrorCode)."""
    for detail in _objects(error.get("details")):
        if detail.get("@type") == _FCM_ERROR:
            return str(detail.get("errorCode") or "")
    return ""


def _objects(found: object) -> list[dict[str, Any]]:
    """Those of a list in an answer; none where there is no list."""
    return [each for each in found if isinstance(each, dict)] if isinstance(found, list) else []


def _refined(code: str, error: dict[str, Any]) -> str:
    """FCM says one code for a token that is none and for a message that it does not like. Of the
    second kind it names the field; of the first, the text tells (FCM, Error codes, Example 2)."""
    if code != "INVALID_ARGUMENT":
        return code
    fields = [
        str(violation.get("field"))
        for detail in _objects(error.get("details"))
        for violation in _objects(detail.get("fieldViolations"))
    ]
    if fields:
        return _INVALID_TOKEN if set(fields) == {"message.token"} else code
    about_token = "registration token" in str(error.get("message") or "").lower()
    return _INVALID_TOKEN if about_token else code


def _message_id(answer: httpx.Response) -> str:
    """The last part of `projects/*/messages/{id}`. Accepted, whatever the body is like."""
    return str(http_errors.json_object(answer).get("name") or "").rpartition("/")[2]
