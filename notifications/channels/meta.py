"""What both ways to WhatsApp share: Meta's message, and Meta's codes.

AWS End User Messaging Social carries Meta's payload inside its own call; the Cloud API takes it as
it is.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Literal

from notifications import conversations
from notifications.channels.base import Message
from notifications.channels.correlation import Correlation, to_whatsapp_callback
from notifications.exceptions import PermanentError

CHANNEL = "whatsapp"
"""Under which people's own messages to us are noted (`notifications.conversations`)."""

OutsideWindow = Literal["text", "template"]

# WhatsApp Business Platform, Error codes; the Graph API's own below 1000 (Handle errors).
# https://developers.facebook.com/documentation/business-messaging/whatsapp/support/error-codes
# https://developers.facebook.com/docs/graph-api/guides/error-handling
PAUSED = frozenset(
    {"0", "3", "10", "33", "102", "190", "368", "131005", "131031", "131037", "131042", "131045"}
    | {"131048", "131057", "133000", "133005", "133006", "133010"}
    | {str(code) for code in range(200, 300)}
)
TRANSIENT = frozenset(
    {"1", "2", "4", "17", "32", "341", "613", "80007", "130429", "131000", "131016", "131056"}
    | {"132069", "133004"}
)
PERMANENT = frozenset(
    {"100", "130472", "130497", "131008", "131009", "131021", "131026", "131030", "131047"}
    | {"131049", "131050", "131051", "131052", "131053", "132000", "132001", "132005", "132007"}
    | {"132012", "132015", "132016", "132068", "135000"}
)
ELSEWHERE = frozenset({"130497", "131030", "131051", "132001", "132015", "132016"})
"""Those of the permanent that another account, with senders and templates of its own, may take."""
OF_RECIPIENT = frozenset({"131056"})
"""Too many messages to one person: whoever else is written to is none the worse for it."""

OUTSIDE_WINDOW = "outside_window"


def suited(message: Message, outside_window: OutsideWindow) -> Message:
    """The message in the form that the person may be sent now.

    For 24 hours after their last message anything, so the text; else a template that Meta has
    approved (Customer service windows). Where the event has none: with "text", the text all the
    same (only Meta knows, in a shop that is not told of inbound messages); with "template",
    PermanentError `outside_window`.
    """
    if not message.content.template and outside_window == "text":
        return message
    if conversations.window_open(CHANNEL, message.address):
        return replace(message, content=replace(message.content, template={}))
    if not message.content.template:
        raise PermanentError(
            "This person has not written to us for 24 hours, and the event has no "
            f"{CHANNEL}.template.json for that case.",
            OUTSIDE_WINDOW,
        )
    return message


def payload(message: Message, number: str) -> dict[str, Any]:
    """A message of the Cloud API to that number: its template, or else its text."""
    attached = Correlation(message.tag, message.event_type, message.subject)
    return {
        "messaging_product": "whatsapp",
        "recipient_type": "individual",
        "to": number,
        **_body(message),
        "biz_opaque_callback_data": to_whatsapp_callback(attached),
    }


def _body(message: Message) -> dict[str, Any]:
    if message.content.template:
        return {"type": "template", "template": dict(message.content.template)}
    return {"type": "text", "text": {"body": message.content.text, "preview_url": False}}


def checked(outside_window: str) -> OutsideWindow:
    """The option as the adapters take it; ValueError for another word."""
    if outside_window not in ("text", "template"):
        raise ValueError(f'outside_window is {outside_window!r}: give "text" or "template".')
    return outside_window  # type: ignore[return-value]
