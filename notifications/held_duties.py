"""Held duties: what may have been told by processes whose notes were lost with the database."""

from __future__ import annotations

import logging

from notifications import decision, digests, fingerprints, restorations
from notifications.duties import Duty
from notifications.exceptions import OutcomeUnknown
from notifications.models import Delivery

DOUBTED = OutcomeUnknown(
    "it may have been told after the backup from which the database was restored", "restored"
)
"""What stands on each as its last error: all have one cause, and so one group of failures."""

logger = logging.getLogger(__name__)


def hold(duty: Duty) -> bool:
    """Whether it is held for a person, unknown, in place of being told.

    Only what is doubted (`notifications.restorations`) and has no row: what became of a row since
    is known. What would not be told anyway is skipped, as always.
    """
    if not restorations.is_doubted() or _is_refused(duty):
        return False
    held = Delivery.objects.hold(
        duty.request(), error=str(DOUBTED), fingerprint=fingerprints.of(DOUBTED)
    )
    if held:
        logger.warning(
            "event %s is held, for it may have been told before the database was restored",
            duty.envelope.id,
        )
    return held


def _is_refused(duty: Duty) -> bool:
    if digests.is_digest(duty.envelope):
        return False
    return decision.objection(duty.envelope, duty.recipient, channel=duty.channel) is not None
