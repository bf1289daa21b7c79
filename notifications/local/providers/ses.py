"""SES API v2: SendEmail with simple or raw content (rest-json)."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterable
from dataclasses import replace
from email import message_from_bytes, policy
from email.header import decode_header, make_header
from email.message import EmailMessage
from email.utils import getaddresses, parseaddr
from typing import Any

from aiohttp import web

from notifications.channels import correlation
from notifications.local.providers.store import Incoming
from notifications.local.providers.wire import Malformed, Wire, answer, json_object

_STATUS = {"TooManyRequestsException": 429, "NotFoundException": 404, "AccessDeniedException": 403}
_BAD = "BadRequestException"


class SesWire(Wire):
    channel = "email"

    def read(self, request: web.Request, body: bytes) -> Incoming:
        call = json_object(body, _BAD)
        content = call.get("Content") or {}
        if "Simple" in content:
            return _simple(call, content["Simple"])
        if "Raw" in content:
            return _raw(call, content["Raw"])
        raise Malformed(_BAD, "The sandbox knows Simple and Raw content only.")

    def accepted(self, provider_message_id: str) -> web.Response:
        return _json(200, {"MessageId": provider_message_id})

    def throttled(self) -> web.Response:
        return self.refused("TooManyRequestsException", "Maximum sending rate exceeded.")

    def failed(self, status: int) -> web.Response:
        return _error(status, "InternalFailure", "Internal failure.")

    def refused(self, code: str, message: str = "") -> web.Response:
        return _error(_STATUS.get(code, 400), code, message or "Refused by the sandbox's script.")


def read_email(email: EmailMessage, addresses: tuple[str, ...], sender: str = "") -> Incoming:
    """A whole email, as SMTP and raw content carry it."""
    text = email.get_body(("plain",))
    html = email.get_body(("html",))
    return Incoming(
        addresses=addresses,
        correlation=correlation.from_headers(email.get),
        text=text.get_content() if text else "",
        title=str(email["subject"] or ""),
        html=html.get_content() if html else "",
        sender=sender or str(email["from"] or ""),
        headers={name: str(value) for name, value in email.items()},
        attachments=tuple(each.get_filename() or "" for each in email.iter_attachments()),
    )


def _simple(call: dict[str, Any], simple: dict[str, Any]) -> Incoming:
    body = simple.get("Body") or {}
    return Incoming(
        addresses=_somebody(_destination(call)),
        correlation=correlation.from_ses_tags(call.get("EmailTags") or ()),
        text=_data(body.get("Text")),
        title=_data(simple.get("Subject")),
        html=_data(body.get("Html")),
        sender=_sender(call),
        headers=_headers(simple.get("Headers") or ()),
    )


def _headers(given: Iterable[dict[str, str]]) -> dict[str, str]:
    """SES takes printable ASCII, and not more than 995 of it (API v2, MessageHeader)."""
    headers = {header["Name"]: header["Value"] for header in given}
    if not all(value.isascii() and 0 < len(value) <= 995 for value in headers.values()):
        raise Malformed(_BAD, "A header's value is not valid.")
    return headers


def _raw(call: dict[str, Any], raw: dict[str, Any]) -> Incoming:
    try:
        data = base64.b64decode(raw.get("Data") or "", validate=True)
    except (binascii.Error, ValueError):
        raise Malformed(_BAD, "Raw.Data is not base64.") from None
    email = message_from_bytes(data, policy=policy.default)
    assert isinstance(email, EmailMessage)  # noqa: S101 - what policy.default makes
    named = [str(value) for name in ("to", "cc", "bcc") for value in email.get_all(name, [])]
    addresses = _destination(call) or tuple(found for _, found in getaddresses(named))
    incoming = read_email(email, _somebody(addresses), _sender(call))
    tags = correlation.from_ses_tags(call.get("EmailTags") or ())
    return replace(incoming, correlation=tags) if tags.tag else incoming


def _sender(call: dict[str, Any]) -> str:
    """As people read it. SES takes ASCII: a name as encoded words, a domain in its IDNA form."""
    sender = str(call.get("FromEmailAddress") or "")
    if not sender.isascii():
        raise Malformed(_BAD, "The sender must be 7-bit ASCII.")
    return str(make_header(decode_header(sender)))


def _destination(call: dict[str, Any]) -> tuple[str, ...]:
    destination = call.get("Destination") or {}
    named = [
        address
        for kind in ("ToAddresses", "CcAddresses", "BccAddresses")
        for address in destination.get(kind) or ()
    ]
    found = tuple(parseaddr(address)[1] for address in named)
    if not all("@" in address for address in found):
        raise Malformed(_BAD, "Illegal address.")
    return found


def _somebody(addresses: tuple[str, ...]) -> tuple[str, ...]:
    if not addresses:
        raise Malformed(_BAD, "No recipient is named.")
    return addresses


def _data(part: dict[str, Any] | None) -> str:
    return str((part or {}).get("Data") or "")


def _json(status: int, body: dict[str, Any], **headers: str) -> web.Response:
    return answer(status, body, "application/json", **headers)


def _error(status: int, code: str, message: str) -> web.Response:
    return _json(status, {"message": message}, x_amzn_ErrorType=code)
