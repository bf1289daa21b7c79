"""WhatsApp: Meta's webhook entries, from Meta or as AWS End User Messaging Social hands them on.

Source: AWS End User Messaging Social User Guide, "Message and event format"
(docs.aws.amazon.com/social-messaging/latest/userguide/managing-event-destination-dlrs.html), and
Meta, WhatsApp Business Platform, "messages webhook reference" (`statuses`, `messages`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import AwareDatetime, Field

from notifications.channels.correlation import from_whatsapp_callback
from notifications.channels.receipts.base import Body, Kind, Said, parsed, said
from notifications.channels.whatsapp import EndUserMessagingWhatsApp
from notifications.envelope import json_object
from notifications.replies import Heard, heard

_KINDS = {
    "sent": Kind.ACCEPTED,
    "delivered": Kind.DELIVERED,
    "read": Kind.READ,
    "failed": Kind.REJECTED,
}


META = "meta-whatsapp"
"""The provider, where Meta itself speaks to us."""


class _Error(Body):
    code: int
    title: str = ""


class _Status(Body):
    id: str
    status: str
    timestamp: AwareDatetime  # seconds since 1970, as a text
    recipient_id: str = Field(default="", alias="recipient_id")
    biz_opaque_callback_data: str = Field(default="", alias="biz_opaque_callback_data")
    errors: list[_Error] = Field(default_factory=list)


class _Said(Body):
    """What somebody wrote, or the words on the button that they pressed."""

    body: str = ""
    text: str = ""
    title: str = ""


class _Interactive(Body):
    button_reply: _Said = Field(default=_Said(), alias="button_reply")
    list_reply: _Said = Field(default=_Said(), alias="list_reply")


class _Message(Body):
    id: str
    timestamp: AwareDatetime
    sender: str = Field(default="", alias="from")  # not there when they hide their number
    text: _Said = _Said()
    button: _Said = _Said()
    interactive: _Interactive = _Interactive()

    @property
    def words(self) -> str:
        pressed = self.interactive.button_reply.title or self.interactive.list_reply.title
        return self.text.body or self.button.text or pressed


class _Value(Body):
    statuses: list[_Status] = Field(default_factory=list)
    messages: list[_Message] = Field(default_factory=list)


class _Change(Body):
    field: str = ""
    value: dict[str, Any]


class _Entry(Body):
    changes: list[_Change]


class _Header(Body):
    whats_app_webhook_entry: str = Field(alias="whatsAppWebhookEntry")


class _Call(Body):
    entry: list[_Entry]


def read(body: Mapping[str, Any]) -> list[Said | Heard]:
    """What one entry that AWS handed on says of us. Raises NotAnEvent.

    An entry about something else (a template's review, say) says nothing.
    """
    entry = parsed(_Entry, json_object(parsed(_Header, body).whats_app_webhook_entry))
    return _of(entry, EndUserMessagingWhatsApp.provider)


def read_call(body: Mapping[str, Any]) -> list[Said | Heard]:
    """What one call of Meta's own says. Raises NotAnEvent."""
    return [each for entry in parsed(_Call, body).entry for each in _of(entry, META)]


def _of(entry: _Entry, provider: str) -> list[Said | Heard]:
    found: list[Said | Heard] = []
    for change in entry.changes:
        if change.field == "messages":
            value = parsed(_Value, change.value)
            for status in value.statuses:
                found += _receipt(status, provider)
            for message in value.messages:
                found += _reply(message)
    return found


def _receipt(status: _Status, provider: str) -> list[Said]:
    if status.status not in _KINDS:
        return []
    error = status.errors[0] if status.errors else None
    return said(
        from_whatsapp_callback(status.biz_opaque_callback_data),
        provider=provider,
        message_id=status.id,
        kind=_KINDS[status.status],
        code=str(error.code) if error else "",
        detail=error.title if error else "",
        occurred_at=status.timestamp,
        address=status.recipient_id,
    )


def _reply(message: _Message) -> list[Heard]:
    return heard(
        channel="whatsapp",
        address=message.sender,
        text=message.words,
        message_id=message.id,
        occurred_at=message.timestamp,
    )
