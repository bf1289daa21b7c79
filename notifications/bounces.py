"""Bounces: what a provider's word about one message means for the address that it went to.

A hard bounce or a complaint by mail, and an opt-out that the carrier knows of, are the end of that
address on that channel. A soft bounce never is: a mailbox is emptied, a phone switched on.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import TYPE_CHECKING

from notifications import proofs, suppressions
from notifications.models import Receipt, Suppression
from notifications.models.settlement import Settlement

if TYPE_CHECKING:
    from notifications.receipts import Told

Reason = Suppression.Reason

SHUTS_OUT: Mapping[str, Mapping[str, Reason]] = {
    "email": {
        Receipt.Kind.BOUNCED: Reason.HARD_BOUNCE,
        Receipt.Kind.COMPLAINED: Reason.COMPLAINT,
    }
}
"""By channel, the kinds that say so of the address itself. A telephone number that is unknown today
may be somebody's tomorrow, and the carriers' words for it are not to be relied upon."""

logger = logging.getLogger(__name__)


def heed(receipt: Told, settlement: Settlement) -> bool:
    """Suppress the address if this is the end of it; whether it was not, till now.

    By the delivery's own hash. Where it has been re-opened since, and may have gone elsewhere, by
    that of the address which the provider says it had.
    """
    reason = SHUTS_OUT.get(settlement.channel, {}).get(receipt.kind)
    if receipt.opted_out:  # by mail nobody answers STOP: who wants no more has complained
        reason = Reason.COMPLAINT if settlement.channel == "email" else Reason.OPT_OUT_REPLY
    hashed = settlement.address_hash
    if not hashed or hashed.startswith(proofs.PREFIX):  # they have been forgotten meanwhile
        hashed = receipt.address_hash
    if reason is None or not hashed:
        return False
    new = suppressions.suppress(
        channel=settlement.channel,
        address_hash=hashed,
        reason=reason,
        note=f"{receipt.provider}: {receipt.code or receipt.kind}",
        delivery=receipt.delivery_id,
    )
    if new:
        logger.info(
            "delivery %s: nothing more goes to its address (%s)", receipt.delivery_id, reason
        )
    return new
