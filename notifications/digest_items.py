"""Digest items: what is told in a digest, weighed anew when it is told, each as if by itself."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator

from notifications import decision, recipients
from notifications.envelope import Envelope
from notifications.exceptions import PermanentError
from notifications.models import DigestItem, Event
from notifications.recipients import Recipient

NOTHING_LEFT = "nothing_left"
"""Why a digest is not sent whose items have all been left out, for different reasons."""

NO_LONGER_NAMED = "no_longer_named"
EVENT_GONE = "event_gone"
"""Why an item is left out: the shop does not name the recipient any more; its event is kept no
longer (a digest that is resent after months)."""

logger = logging.getLogger(__name__)


def weigh(items: list[DigestItem], is_overridden: Callable[[], bool]) -> list[str]:
    """Of each item, why it is not to be told; empty when it is."""
    reasons = []
    overridden: bool | None = None
    for item, happened in with_events(items):
        no = _objection(item, happened)
        if no is not None and no.overridable:
            overridden = is_overridden() if overridden is None else overridden
            no = None if overridden else no
        reasons.append(no.reason[:100] if no else "")
    return reasons


def _objection(item: DigestItem, happened: Envelope | None) -> decision.Objection | None:
    if happened is None:
        return decision.Objection(EVENT_GONE)
    recipient = recipient_of(item, happened)
    if recipient is None:
        return decision.Objection(NO_LONGER_NAMED)
    return decision.objection(happened, recipient, channel=item.delivery.channel)


def recipient_of(item: DigestItem, happened: Envelope) -> Recipient | None:
    """As the shop names them for this event; nobody where there is no such order any more."""
    try:
        return recipients.named(
            happened,
            channel=item.delivery.channel,
            route=item.delivery.route,
            reference=item.delivery.recipient,
        )
    except PermanentError as error:
        logger.info("event %s: the shop names nobody (%s)", happened.id, error.code)
        return None


def with_events(items: list[DigestItem]) -> Iterator[tuple[DigestItem, Envelope | None]]:
    """Each with its event, while that is kept."""
    known = Event.objects.in_bulk([item.delivery.event_id for item in items])
    for item in items:
        happened = known.get(item.delivery.event_id)
        yield item, happened.envelope(generation=item.generation) if happened else None


def common(reasons: list[str]) -> str:
    """Why none is told: their reason, if they have one and the same; empty when one is told."""
    if not all(reasons):
        return ""
    return reasons[0] if len(set(reasons)) == 1 else NOTHING_LEFT
