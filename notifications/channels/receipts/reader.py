"""What may stand on the receipts queue, made the event that its task is given."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from notifications.channels.receipts import ses, sms, whatsapp
from notifications.channels.receipts.base import Said
from notifications.envelope import Envelope, json_object, unwrapped
from notifications.exceptions import NotAnEvent
from notifications.receipts import envelope_of

READERS: Mapping[str, Callable[[Mapping[str, Any]], list[Said]]] = {
    "whatsAppWebhookEntry": whatsapp.read,
    "mail": ses.read,
    "eventTimestamp": sms.read,
}
"""By a key that only that provider's bodies have."""


def read(text: str) -> Envelope | None:
    """The receipts in a body, raw or wrapped by SNS; None when none of them is ours.

    Raises NotAnEvent for what no provider says, an event of the shop's included.
    """
    if text == ses.SETUP:
        return None
    body = json_object(text)
    if (message := unwrapped(body)) is not None:
        if message == ses.SETUP:
            return None
        body = json_object(message)
    found = _said(body)
    if not found:
        return None
    return envelope_of(tuple(each.told for each in found), subject=found[0].subject)


def _said(body: Mapping[str, Any]) -> list[Said]:
    for key, read_body in READERS.items():
        if key in body:
            return read_body(body)
    raise NotAnEvent("no receipt of SES, End User Messaging or WhatsApp")
