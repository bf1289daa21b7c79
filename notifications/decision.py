"""Decision: whether somebody is still to be told of an event, or why not. Cheapest first."""

from __future__ import annotations

from dataclasses import dataclass

from django.utils import timezone

from notifications import allow_list, announcement_states, recipients
from notifications.channels.adapters import adapter
from notifications.envelope import Envelope
from notifications.exceptions import PermanentError
from notifications.recipients import Recipient
from notifications.refusals import refusal


@dataclass(frozen=True)
class Objection:
    """Why somebody is not to be told.

    overridable: an operator may know better (the order is alive again, the news is not stale).
    What a person has said for themselves, nobody may.
    """

    reason: str
    overridable: bool = False


def objection(envelope: Envelope, recipient: Recipient, *, channel: str) -> Objection | None:
    """What speaks against telling `recipient` over `channel` now; None when nothing does.

    What nobody may override comes first: only the first is heard.
    """
    if recipient.opted_out:
        return Objection("opted_out")
    if not recipient.address:
        return Objection("no_address")
    if (wrong := _wrong_with_address(recipient, channel)) is not None:
        return wrong
    if refused := refusal(envelope.event_type, recipient, channel):
        return Objection(refused)
    if timezone.now() - envelope.time > envelope.event_type.worth_sending_for:
        return Objection("expired", overridable=True)
    if announcement_states.is_cancelled(envelope):
        return Objection("announcement_cancelled", overridable=True)
    untrue = recipients.no_longer_true(envelope)
    return Objection(f"no_longer_true: {untrue}", overridable=True) if untrue else None


def _wrong_with_address(recipient: Recipient, channel: str) -> Objection | None:
    """What no operator can overrule: nothing is to be sent there, from here or at all."""
    if recipient.unreachable:
        return Objection(recipient.unreachable)
    if not allow_list.allows(recipient.address):
        return Objection(allow_list.NOT_ALLOWED)
    try:
        adapter(channel).check_address(recipient.address)
    except PermanentError as error:
        return Objection(error.code)
    return None
