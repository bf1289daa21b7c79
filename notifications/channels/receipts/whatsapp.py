"""WhatsApp: Meta's webhook entries, as AWS End User Messaging Social hands them on.

Source: AWS End User Messaging Social User Guide, "Message and event format"
(docs.aws.amazon.com/social-messaging/latest/userguide/managing-event-destination-dlrs.html), and
Meta, WhatsApp Business Platform, "messages webhook reference" (`statuses`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import AwareDatetime, Field

from notifications.channels.correlation import from_whatsapp_callback
from notifications.channels.receipts.base import Body, Kind, Said, parsed, said
from notifications.channels.whatsapp import EndUserMessagingWhatsApp
from notifications.envelope import json_object

_KINDS = {
    "sent": Kind.ACCEPTED,
    "delivered": Kind.DELIVERED,
    "read": Kind.DELIVERED,
    "failed": Kind.REJECTED,
}


class _Error(Body):
    code: int
    title: str = ""


class _Status(Body):
    id: str
    status: str
    timestamp: AwareDatetime  # seconds since 1970, as a text
    biz_opaque_callback_data: str = Field(default="", alias="biz_opaque_callback_data")
    errors: list[_Error] = Field(default_factory=list)


class _Value(Body):
    statuses: list[_Status] = Field(default_factory=list)


class _Change(Body):
    field: str = ""
    value: dict[str, Any]


class _Entry(Body):
    changes: list[_Change]


class _Header(Body):
    whats_app_webhook_entry: str = Field(alias="whatsAppWebhookEntry")


def read(body: Mapping[str, Any]) -> list[Said]:
    """What the statuses in one entry say of messages of ours. Raises NotAnEvent.

    An entry about something else (what a customer wrote, a template's review) says nothing.
    """
    entry = parsed(_Entry, json_object(parsed(_Header, body).whats_app_webhook_entry))
    return [
        receipt
        for change in entry.changes
        if change.field == "messages"
        for status in parsed(_Value, change.value).statuses
        for receipt in _of(status)
    ]


def _of(status: _Status) -> list[Said]:
    if status.status not in _KINDS:
        return []
    error = status.errors[0] if status.errors else None
    return said(
        from_whatsapp_callback(status.biz_opaque_callback_data),
        provider=EndUserMessagingWhatsApp.provider,
        message_id=status.id,
        kind=_KINDS[status.status],
        code=str(error.code) if error else status.status if status.status == "read" else "",
        detail=error.title if error else "",
        occurred_at=status.timestamp,
    )
