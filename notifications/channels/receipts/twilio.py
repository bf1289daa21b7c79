"""Twilio, and who speaks like it: status callbacks and incoming messages, as forms.

Source: Twilio, Messaging, "Message resource" (`MessageStatus`), "Track outbound message status",
"Twilio's request to your incoming message webhook URL", and "Error and warning dictionary".

A callback repeats nothing that was attached to the message, but the query of its own URL: so that
holds our tag (`notifications.channels.correlation.to_query`). It does not say when, either.
"""

from __future__ import annotations

from collections.abc import Mapping

from django.utils import timezone

from notifications.channels.correlation import from_query
from notifications.channels.receipts.base import Kind, Said, said
from notifications.exceptions import NotAnEvent
from notifications.replies import Heard, heard

PROVIDER = "twilio"
_WHATSAPP = "whatsapp:"
_RECEIVED = frozenset({"receiving", "received"})
_KINDS = {
    **dict.fromkeys(("accepted", "scheduled", "queued", "sending", "sent"), Kind.ACCEPTED),
    **dict.fromkeys(("delivered", "partially_delivered"), Kind.DELIVERED),
    "read": Kind.READ,
    "undelivered": Kind.SOFT_BOUNCED,
    **dict.fromkeys(("failed", "canceled"), Kind.REJECTED),
}
_HARD = frozenset({"30005", "30006", "63014"})
"""Unknown or out of service; a landline, or a carrier that cannot be reached; blocked by them."""

_OPTED_OUT = frozenset({"21610", "63014"})
"""They have answered STOP; they have blocked us."""


def read(form: Mapping[str, str], query: Mapping[str, str]) -> list[Said | Heard]:
    """What one call says of us; nothing if it is about something else. Raises NotAnEvent.

    form: the call's parameters, query: of the URL that it was made to.
    """
    message_id = form.get("MessageSid") or form.get("SmsSid") or ""
    if not message_id:
        raise NotAnEvent("a call without MessageSid")
    status = (form.get("MessageStatus") or form.get("SmsStatus") or "").lower()
    if status in _RECEIVED or (not status and "Body" in form):
        return _reply(form, message_id)
    if status not in _KINDS:
        return []
    code = form.get("ErrorCode", "")
    hard = status == "undelivered" and code in _HARD
    return [
        *said(
            from_query(query),
            provider=PROVIDER,
            message_id=message_id,
            kind=Kind.BOUNCED if hard else _KINDS[status],
            code=code,
            detail=form.get("ErrorMessage", ""),
            occurred_at=timezone.now(),
            address=form.get("To", "").removeprefix(_WHATSAPP),
            undated=True,
            opted_out=code in _OPTED_OUT,
        )
    ]


def _reply(form: Mapping[str, str], message_id: str) -> list[Said | Heard]:
    sender = form.get("From", "")
    return [
        *heard(
            channel="whatsapp" if sender.startswith(_WHATSAPP) else "sms",
            address=sender.removeprefix(_WHATSAPP),
            text=form.get("Body") or form.get("ButtonText") or "",
            message_id=message_id,
            occurred_at=timezone.now(),
        )
    ]
