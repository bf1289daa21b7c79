"""Messages: one recipient's share of an event, made ready for the provider."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from notifications import digests, recipients, rendered, rendering, unsubscribe
from notifications.channels.base import Attachment, Content, Message
from notifications.duties import Duty
from notifications.models.claim import Claim
from notifications.templating import published

EMAIL = "email"
"""The channel whose messages have attachments."""


def compose(duty: Duty, claim: Claim) -> Message:
    """What is handed to the provider: the words, the way to hear no more of it, what goes along.

    Of several providers the one that is asked suits it to itself later. Raises what rendering and
    the shop's hooks raise.
    """
    way_out = unsubscribe.offer(
        duty.envelope.event_type,
        duty.recipient,
        channel=duty.channel,
        delivery=claim.delivery_id,
    )
    content = rendered.original(claim) or _content(duty, way_out.words)
    message = Message(
        address=duty.recipient.address,
        content=content,
        tag=claim.tag,
        idempotency_key=claim.idempotency_key,
        event_type=duty.envelope.type,
        subject=duty.envelope.subject,
        headers=way_out.headers,
        attachments=_attachments(duty),
        reference=duty.recipient.reference,
    )
    return message if duty.providers else duty.adapter.suited(message)


def _content(duty: Duty, words: Mapping[str, Any]) -> Content:
    """As its templates say it today; where a channel has none, the event itself."""
    if not rendering.parts_of(duty.channel):
        return rendering.verbatim(duty.envelope)
    return rendering.render(
        duty.envelope,
        channel=duty.channel,
        recipient=duty.recipient,
        context={**words, **_context(duty)},
        edited=published.look(),
    )


def _attachments(duty: Duty) -> tuple[Attachment, ...]:
    if duty.channel != EMAIL or digests.is_digest(duty.envelope):
        return ()
    return recipients.attachments(duty.envelope, duty.recipient)


def _context(duty: Duty) -> dict[str, Any]:
    if digests.is_digest(duty.envelope):
        return digests.context(duty)
    return recipients.context(duty.envelope, duty.recipient)
