"""Amazon SES: the events of a configuration set.

Source: Amazon SES Developer Guide, "Contents of event data that Amazon SES publishes to Amazon
SNS" and "Examples of event data …" (docs.aws.amazon.com/ses/latest/dg/,
event-publishing-retrieving-sns-contents.html and event-publishing-retrieving-sns-examples.html).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import AwareDatetime, Field

from notifications.channels.correlation import from_ses_tags
from notifications.channels.email import SesEmail
from notifications.channels.receipts.base import Body, Kind, Said, parsed, said

SETUP = "Successfully validated SNS topic for Amazon SES event publishing."
"""Published once, when an event destination is made; no JSON."""


class _Mail(Body):
    message_id: str
    timestamp: AwareDatetime
    destination: list[str] = Field(default_factory=list)
    tags: dict[str, list[str]] = Field(default_factory=dict)


class _Recipient(Body):
    status: str = ""
    diagnostic_code: str = ""


class _What(Body):
    """The object named after the event: which of these it has depends on the event."""

    timestamp: AwareDatetime | None = None
    smtp_response: str = ""
    bounce_type: str = ""
    bounce_sub_type: str = ""
    bounced_recipients: list[_Recipient] = Field(default_factory=list)
    complaint_feedback_type: str = ""
    complaint_sub_type: str | None = None
    delay_type: str = ""
    delayed_recipients: list[_Recipient] = Field(default_factory=list)
    reason: str = ""
    error_message: str = ""

    @property
    def code(self) -> str:
        """`Permanent.General` of a bounce; the kind of complaint or delay."""
        bounce = ".".join(part for part in (self.bounce_type, self.bounce_sub_type) if part)
        return bounce or self.complaint_sub_type or self.complaint_feedback_type or self.delay_type

    @property
    def detail(self) -> str:
        recipients = (*self.bounced_recipients, *self.delayed_recipients)
        diagnosis = next((each.diagnostic_code or each.status for each in recipients), "")
        return diagnosis or self.smtp_response or self.reason or self.error_message


class _Event(Body):
    event_type: str
    mail: _Mail


_KINDS = {
    # eventType: (the object that it comes with, what it means)
    "Send": ("send", Kind.ACCEPTED),
    "DeliveryDelay": ("deliveryDelay", Kind.DELAYED),
    "Delivery": ("delivery", Kind.DELIVERED),
    "Bounce": ("bounce", Kind.BOUNCED),
    "Open": ("open", Kind.OPENED),
    "Click": ("click", Kind.CLICKED),
    "Complaint": ("complaint", Kind.COMPLAINED),
    "Reject": ("reject", Kind.REJECTED),
    "Rendering Failure": ("failure", Kind.REJECTED),
}
"""What else there is (Subscription: of SES's own lists, which we do not use) is of no message."""

NO_COMPLAINT = frozenset({"not-spam", "auth-failure"})
"""Reports in a complaint's form in which nobody complains: somebody has taken the message out of
their spam, or a mail server could not verify our domain (RFC 6430; RFC 6591)."""

NOT_TRIED = "OnAccountSuppressionList"
"""Of a complaint: an earlier one. SES took the message, and "didn't attempt to send it" (API v2,
Complaint); of an address that bounced before it says the same by a bounce."""

PERMANENT = "Permanent"
"""The one type of bounce that is about the address. Transient (a full mailbox, a message too large,
an attachment refused) and Undetermined say nothing of the next message."""


def read(body: Mapping[str, Any]) -> list[Said]:
    """What one event says, if it is about a message of ours. Raises NotAnEvent.

    A notification of an identity (`notificationType`) repeats what the configuration set
    says, without tags.
    """
    if "notificationType" in body:
        return []
    event = parsed(_Event, body)
    if event.event_type not in _KINDS:
        return []
    name, kind = _KINDS[event.event_type]
    what = parsed(_What, body.get(name) or {})
    if kind is Kind.BOUNCED and what.bounce_type != PERMANENT:
        kind = Kind.SOFT_BOUNCED
    if kind is Kind.COMPLAINED and what.complaint_feedback_type in NO_COMPLAINT:
        return []
    complained_before = kind is Kind.COMPLAINED and what.complaint_sub_type == NOT_TRIED
    if complained_before:
        kind = Kind.BOUNCED
    tags = ({"Name": tag, "Value": values[0]} for tag, values in event.mail.tags.items() if values)
    return said(
        from_ses_tags(tags),
        provider=SesEmail.provider,
        message_id=event.mail.message_id,
        kind=kind,
        code=what.code,
        detail=what.detail,
        occurred_at=what.timestamp or event.mail.timestamp,
        address=event.mail.destination[0] if len(event.mail.destination) == 1 else "",
        opted_out=complained_before,
    )
