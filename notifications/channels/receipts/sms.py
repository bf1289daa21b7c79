"""SMS: the events of an AWS End User Messaging configuration set.

Source: AWS End User Messaging SMS User Guide, "Event types for SMS, MMS, and voice" and "Example
of SMS event data" (docs.aws.amazon.com/sms-voice/latest/userguide/,
configuration-sets-event-types.html and configuration-sets-event-format.html).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import AwareDatetime, Field

from notifications.channels.correlation import from_sms_context
from notifications.channels.receipts.base import Body, Kind, Said, parsed, said
from notifications.channels.sms import EndUserMessagingSms

_PREFIX = "TEXT_"
_KINDS = {
    "QUEUED": Kind.ACCEPTED,
    "PENDING": Kind.ACCEPTED,
    "SENT": Kind.ACCEPTED,
    # The carrier has it. Where carriers tell no more than that, it is the last word, and in
    # some countries AWS uses the two words for one another.
    "SUCCESSFUL": Kind.DELIVERED,
    "DELIVERED": Kind.DELIVERED,
    # After 72 hours without a word from the carrier: taken, and no more is known.
    "UNKNOWN": Kind.DELAYED,
    # All of them about this message, not about the number: the phone is off, the network is
    # down, the carrier does not like the text, it took too long.
    "UNREACHABLE": Kind.SOFT_BOUNCED,
    "CARRIER_UNREACHABLE": Kind.SOFT_BOUNCED,
    "CARRIER_BLOCKED": Kind.SOFT_BOUNCED,
    "SPAM": Kind.SOFT_BOUNCED,
    "TTL_EXPIRED": Kind.SOFT_BOUNCED,
    "BLOCKED": Kind.BOUNCED,
    "INVALID": Kind.REJECTED,
    "INVALID_MESSAGE": Kind.REJECTED,
    "PROTECT_BLOCKED": Kind.REJECTED,
}
OPTED_OUT = "BLOCKED"
"""The recipient's own device or carrier takes nothing from us: the one word that is about them."""

_BEFORE_THE_LAST = {
    Kind.DELIVERED: Kind.ACCEPTED,
    Kind.BOUNCED: Kind.DELAYED,
    Kind.SOFT_BOUNCED: Kind.DELAYED,
    Kind.REJECTED: Kind.DELAYED,
}
"""What a word means that is not final: the carrier may yet say another."""


class _Event(Body):
    event_type: str
    event_timestamp: AwareDatetime  # milliseconds since 1970
    is_final: bool = True
    message_id: str
    message_status_description: str = ""
    destination_phone_number: str = ""
    context: dict[str, str] = Field(default_factory=dict)


def read(body: Mapping[str, Any]) -> list[Said]:
    """What one event says, if it is about a text of ours. Raises NotAnEvent."""
    event = parsed(_Event, body)
    status = event.event_type.removeprefix(_PREFIX)
    if not event.event_type.startswith(_PREFIX) or status not in _KINDS:
        return []  # of a voice or media message, or of a type that AWS made since
    kind = _KINDS[status]
    if not event.is_final and status != "DELIVERED":
        kind = _BEFORE_THE_LAST.get(kind, kind)
    return said(
        from_sms_context(event.context),
        provider=EndUserMessagingSms.provider,
        message_id=event.message_id,
        kind=kind,
        code=status,
        detail=event.message_status_description,
        occurred_at=event.event_timestamp,
        address=event.destination_phone_number,
        opted_out=status == OPTED_OUT and event.is_final,
    )
