"""What may stand on the receipts queue, made the event that its task is given."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from notifications.channels.receipts import handed_on, ses, sms, sms_replies, whatsapp
from notifications.channels.receipts.base import Said
from notifications.envelope import Envelope, json_object, unwrapped
from notifications.exceptions import NotAnEvent
from notifications.receipts import envelope_of
from notifications.replies import Heard

READERS: Mapping[str, Callable[[Mapping[str, Any]], Sequence[Said | Heard]]] = {
    "whatsAppWebhookEntry": whatsapp.read,
    "mail": ses.read,
    "eventTimestamp": sms.read,
    "inboundMessageId": sms_replies.read,
    handed_on.KEY: handed_on.read,
}
"""By a key that only that provider's bodies have."""


def read(text: str) -> Envelope | None:
    """The receipts and replies in a body, raw or wrapped by SNS; None when none of them is ours.

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
    receipts = [each for each in found if isinstance(each, Said)]
    return envelope_of(
        tuple(each.told for each in receipts),
        subject=receipts[0].subject if receipts else "",
        heard=tuple(each for each in found if isinstance(each, Heard)),
    )


def _said(body: Mapping[str, Any]) -> Sequence[Said | Heard]:
    for key, read_body in READERS.items():
        if key in body:
            return read_body(body)
    raise NotAnEvent("no receipt of SES, End User Messaging or WhatsApp")
