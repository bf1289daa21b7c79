"""Settlement: what a provider's receipt makes of a delivery, decided and done in one statement.

| the receipt says | unknown, or lapsed lease | retrying | failed, discarded | sent | delivered |
|---|---|---|---|---|---|
| accepted, delayed | sent | sent | sent | | |
| delivered, opened, clicked, read | delivered | delivered | delivered | delivered | |
| complained | complained | complained | complained | complained | complained |
| bounced, hard (latest attempt) | bounced | bounced | | bounced | bounced |
| bounced, soft (latest attempt) | bounced | bounced | | bounced | |
| rejected (latest attempt) | failed | | | bounced | |

An empty field moves nothing: out of order or repeated, a receipt is harmless. That the provider
has it (the first three rows) is true whichever attempt of the generation it is said of: it ends
the retry of an attempt whose answer never came, for the message that would make it then finds a
last state. That it did not arrive says nothing of the attempts after it, so only the latest
counts. A mail server that took a mail may send it back later: delivered it was not, then. A soft
bounce does not say so: an answer of somebody on holiday passes for one. Nothing is said of other
generations: a resend is a duty of its own.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import connections

from notifications import fingerprints

SETTLED_BY_OPERATOR = "settled_by_operator"
"""The reason on a row that an operator settled; the last error says who and why."""

DISCARDED_BY_OPERATOR = "discarded_by_operator"
"""The reason on a row that an operator discarded; the audit says who and why."""

# What was discarded, too: an operator may have given up what the provider had all the same.
_TAKEN = dict.fromkeys(("unknown", "retrying", "failed", "discarded"), "sent")
_ARRIVED = dict.fromkeys((*_TAKEN, "sent"), "delivered")
_CAME_BACK = dict.fromkeys(("unknown", "retrying", "sent"), "bounced")
MOVES: Mapping[str, Mapping[str, str]] = {
    "accepted": _TAKEN,
    "delayed": _TAKEN,
    "delivered": _ARRIVED,
    # Who has opened it has it: where the word of its arrival was lost, this one stands for it.
    "opened": _ARRIVED,
    "clicked": _ARRIVED,
    "read": _ARRIVED,
    "complained": dict.fromkeys((*_TAKEN, "sent", "delivered"), "complained"),
    "bounced": {**_CAME_BACK, "delivered": "bounced"},
    "soft_bounced": _CAME_BACK,
    "rejected": {"unknown": "failed", "sent": "bounced"},
}
"""By kind of receipt: from which state to which."""

OF_THE_LATEST = frozenset({"bounced", "soft_bounced", "rejected"})
TAKEN = frozenset(MOVES) - {"rejected"}
"""The kinds that say that the provider had it."""

NAMES_A_NUMBER = "wamid."
"""How Meta's id of a message begins. It is base64, and the recipient's number stands in it: of who
has been forgotten it is not kept."""


@dataclass(frozen=True)
class Word:
    """What a provider said of one attempt, in our words. `detail` is redacted."""

    delivery_id: UUID
    generation: int
    number: int
    provider: str
    provider_message_id: str
    kind: str
    code: str
    detail: str
    occurred_at: datetime

    @property
    def error(self) -> str:
        """What stands on a delivery that came back."""
        return ": ".join(part for part in (self.kind, self.code, self.detail) if part)

    def of_nobody(self) -> Word:
        """What may be kept of it where the person is forgotten: not the provider's own words."""
        tells = self.provider_message_id.startswith(NAMES_A_NUMBER)
        return replace(
            self, detail="", provider_message_id="" if tells else self.provider_message_id
        )


@dataclass(frozen=True)
class Settlement:
    """The delivery a receipt is about, and the state it was brought to ("": it was left alone).

    seconds: how long its sender, who is at it, may yet take; 0 when nobody is.
    address_hash: of where that attempt's generation was sent; empty when a later one has begun,
        for that may have gone elsewhere.
    forgotten: nothing of where it was sent is kept any more.
    """

    subject: str
    moved_to: str
    seconds: float = 0.0
    channel: str = ""
    address_hash: str = ""
    forgotten: bool = False


# The row is locked first, so that "left alone" is said of the state it really has: a sender who
# records its result at this moment comes before us or after us. Times are the database's.
_SETTLE = """
WITH known AS MATERIALIZED (
    SELECT id, subject, channel, address = '' AS forgotten,
        CASE WHEN generation = %(generation)s THEN address_hash ELSE '' END AS address_hash,
        CASE WHEN state = 'sending' AND lease_until <= statement_timestamp()
            THEN 'unknown' ELSE state END AS state,
        CASE WHEN state = 'sending' AND generation = %(generation)s AND attempts >= %(number)s
            THEN EXTRACT(EPOCH FROM lease_until - statement_timestamp()) ELSE 0 END AS seconds
    FROM notifications_delivery
    WHERE id = %(delivery)s
    FOR NO KEY UPDATE
), moved AS (
    UPDATE notifications_delivery AS delivery SET
        state = move.target,
        reason = CASE
            WHEN move.target IN ('failed', 'bounced', 'complained') THEN %(reason)s
            WHEN delivery.reason = %(by_operator)s THEN delivery.reason
            ELSE '' END,
        last_error = CASE
            WHEN move.target IN ('failed', 'bounced', 'complained')
                THEN CASE WHEN known.forgotten THEN %(error_of_nobody)s ELSE %(error)s END
            WHEN delivery.reason = %(by_operator)s THEN delivery.last_error
            ELSE '' END,
        fingerprint = CASE WHEN move.target = 'failed' THEN %(fingerprint)s ELSE '' END,
        provider = CASE WHEN known.state IN ('sent', 'delivered')
            THEN COALESCE(NULLIF(delivery.provider, ''), %(provider)s) ELSE %(provider)s END,
        provider_message_id = COALESCE(
            NULLIF(delivery.provider_message_id, ''),
            CASE WHEN known.forgotten THEN %(message_of_nobody)s ELSE %(message)s END
        ),
        sent_at = CASE WHEN %(taken)s
            THEN COALESCE(delivery.sent_at, LEAST(%(occurred_at)s, statement_timestamp()))
            ELSE delivery.sent_at END,
        next_try_at = NULL,
        lease_until = NULL,
        finished_at = statement_timestamp(),
        updated_at = statement_timestamp()
    FROM known
    JOIN unnest(%(from)s::text[], %(to)s::text[]) AS move (origin, target)
        ON move.origin = known.state
    WHERE delivery.id = known.id
      AND delivery.generation = %(generation)s
      AND (delivery.attempts = %(number)s
           OR delivery.attempts > %(number)s AND NOT %(of_the_latest)s)
    RETURNING delivery.state
)
SELECT known.subject, COALESCE(moved.state, ''), GREATEST(known.seconds, 0)::float,
    known.channel, known.address_hash, known.forgotten
FROM known LEFT JOIN moved ON TRUE
"""


def settle(word: Word, *, using: str) -> Settlement | None:
    """Move the delivery that `word` is about, if it may be; None when there is no such delivery.

    Holds the row's lock until the caller's transaction ends.
    """
    moves = MOVES[word.kind]
    values: dict[str, Any] = {
        "delivery": word.delivery_id,
        "generation": word.generation,
        "number": word.number,
        "from": list(moves),
        "to": list(moves.values()),
        "of_the_latest": word.kind in OF_THE_LATEST,
        "taken": word.kind in TAKEN,
        "reason": (word.code or word.kind)[:100],
        "error": word.error,
        "error_of_nobody": word.of_nobody().error,
        "fingerprint": fingerprints.fingerprint("receipt", word.code or word.kind, ""),
        "by_operator": SETTLED_BY_OPERATOR,
        "provider": word.provider,
        "message": word.provider_message_id,
        "message_of_nobody": word.of_nobody().provider_message_id,
        "occurred_at": word.occurred_at,
    }
    with connections[using].cursor() as cursor:
        cursor.execute(_SETTLE, values)
        row = cursor.fetchone()
    return Settlement(*row) if row else None
