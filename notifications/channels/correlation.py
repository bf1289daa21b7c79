"""How an attempt's tag, event type and subject travel with a message, and how they are read back.

Providers answer receipts with what was attached to the send, each in its own field and
within its own limits. Both directions live here, side by side, so that what an adapter
writes is what a receipt (or the provider sandbox) reads.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, unquote, urlencode

SES_TAG_LENGTH = 256
"""Letters, digits, `_` and `-`, at most 256 (SES API v2, MessageTag)."""

HEADER_LENGTH = 995
"""Printable ASCII, at most 995 (SES API v2, MessageHeader)."""

SMS_CONTEXT_LENGTH = 800
"""Per value, no white space around it; at most 5 pairs (SendTextMessage)."""

WHATSAPP_CALLBACK_LENGTH = 512
"""Characters of `biz_opaque_callback_data` (WhatsApp Cloud API, Messages)."""

FCM_LABEL = re.compile(r"[a-zA-Z0-9\-_.~%]{1,50}\Z")
"""`analytics_label`; at most 100 different ones a day (FCM, Understanding message delivery)."""

_TAG, _EVENT_TYPE, _SUBJECT = "tag", "event_type", "subject"
_HEADERS = {_TAG: "X-Notification-Tag", _EVENT_TYPE: "X-Event-Type", _SUBJECT: "X-Event-Subject"}
_UNSAFE_IN_SES = re.compile(r"[^A-Za-z0-9-]")
_ESCAPED = re.compile(r"((?:_[0-9a-f]{2})+)")


@dataclass(frozen=True)
class Correlation:
    """What is attached to every send. What does not fit into a provider's field is left out."""

    tag: str = ""
    event_type: str = ""
    subject: str = ""

    def fields(self) -> dict[str, str]:
        """The fields that hold something, by name."""
        named = {_TAG: self.tag, _EVENT_TYPE: self.event_type, _SUBJECT: self.subject}
        return {name: value for name, value in named.items() if value}

    @classmethod
    def of(cls, fields: Mapping[str, Any]) -> Correlation:
        """From what came back; names we do not know are passed over."""
        return cls(*(str(fields.get(name) or "") for name in (_TAG, _EVENT_TYPE, _SUBJECT)))


def to_ses_tags(correlation: Correlation) -> list[dict[str, str]]:
    """`EmailTags`: what SES does not allow is escaped, `_` and two digits per byte."""
    encoded = {name: _escape(value) for name, value in correlation.fields().items()}
    return [
        {"Name": name, "Value": value}
        for name, value in encoded.items()
        if len(value) <= SES_TAG_LENGTH
    ]


def from_ses_tags(tags: Iterable[Mapping[str, str]]) -> Correlation:
    return Correlation.of({tag["Name"]: _unescape(tag["Value"]) for tag in tags})


def to_headers(correlation: Correlation) -> dict[str, str]:
    """Headers of an email, percent-encoded where a header could not hold it."""
    encoded = {
        _HEADERS[name]: quote(value, safe="/.:@") for name, value in correlation.fields().items()
    }
    return {name: value for name, value in encoded.items() if len(value) <= HEADER_LENGTH}


def from_headers(get: Callable[[str], Any]) -> Correlation:
    """`get` looks a header up without regard to case, as emails and HTTP requests do."""
    return Correlation.of(
        {name: unquote(str(get(header) or "")) for name, header in _HEADERS.items()}
    )


def to_sms_context(correlation: Correlation) -> dict[str, str]:
    """`Context`, which the service repeats in each of its events."""
    trimmed = {name: value.strip() for name, value in correlation.fields().items()}
    return {name: value for name, value in trimmed.items() if 0 < len(value) <= SMS_CONTEXT_LENGTH}


def from_sms_context(context: Mapping[str, str]) -> Correlation:
    return Correlation.of(context)


def to_whatsapp_callback(correlation: Correlation) -> str:
    """`biz_opaque_callback_data`: compact JSON; the tag stays when not everything fits."""
    whole = _compact(correlation.fields())
    if len(whole) <= WHATSAPP_CALLBACK_LENGTH:
        return whole
    return _compact({_TAG: correlation.tag})


def from_whatsapp_callback(text: str) -> Correlation:
    try:
        fields = json.loads(text)
    except ValueError:
        return Correlation()
    return Correlation.of(fields) if isinstance(fields, dict) else Correlation()


def to_query(correlation: Correlation) -> str:
    """The query of a callback's URL, for providers (Twilio) that repeat nothing else."""
    return urlencode(correlation.fields())


def from_query(query: Mapping[str, str]) -> Correlation:
    return Correlation.of(query)


def to_fcm_data(correlation: Correlation) -> dict[str, str]:
    """`data`: texts only; none of our names is one that FCM keeps for itself."""
    return correlation.fields()


def from_fcm_data(data: Mapping[str, str]) -> Correlation:
    return Correlation.of(data)


def to_fcm_label(correlation: Correlation) -> str:
    """`analytics_label`: the event type only, labels being few; "" where it cannot be one."""
    return correlation.event_type if FCM_LABEL.match(correlation.event_type) else ""


def _escape(value: str) -> str:
    return _UNSAFE_IN_SES.sub(
        lambda found: "".join(f"_{byte:02x}" for byte in found.group().encode()), value
    )


def _unescape(value: str) -> str:
    return _ESCAPED.sub(
        lambda found: bytes.fromhex(found.group().replace("_", "")).decode(errors="replace"), value
    )


def _compact(fields: Mapping[str, str]) -> str:
    return json.dumps(fields, separators=(",", ":"), ensure_ascii=False)
