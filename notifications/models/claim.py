"""Claim: who works a delivery now, for how long, and what a second comer is told."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

from django.db import connections

from notifications.conf import Route
from notifications.envelope import Envelope
from notifications.identifiers import uuid7
from notifications.recipients import Recipient, address_hash


class ClaimOutcome(enum.Enum):
    CLAIMED = "claimed"
    DUPLICATE = "duplicate"
    """Nothing here for this message: the row is in its last state, of a later generation,
    or unknown and waiting for a receipt or an operator."""
    BUSY = "busy"
    """Somebody holds the lease, or the next try is still ahead: look again in `seconds`."""
    LAPSED = "lapsed"
    """Whoever held the lease let it run out while sending. `token` and `number` are theirs."""


@dataclass(frozen=True)
class Claim:
    """The answer to a claim. CLAIMED gives `token`, and with it the right to a result."""

    outcome: ClaimOutcome
    delivery_id: UUID
    token: UUID
    generation: int
    number: int
    seconds: float = 0.0

    @property
    def tag(self) -> str:
        """Names this one attempt to the provider, so that receipts find their way back."""
        return f"{self.delivery_id}.{self.generation}.{self.number}"

    @property
    def idempotency_key(self) -> str:
        """The same for every attempt of one generation: a repeated send must not count twice."""
        return f"{self.delivery_id}.{self.generation}"


# Two workers that insert at once meet in the unique key: the second waits for the first's
# commit, then weighs the condition against the row it left, finds a live lease and gets
# nothing. The Attempt comes with the claim or not at all. Times are the database's, because
# the hosts that compare them disagree.
_CLAIM = """
WITH claimed AS (
    INSERT INTO notifications_delivery AS delivery (
        id, event_id, event_type, event_time, subject, channel, route, recipient,
        address, address_hash, locale, state, reason, generation, attempts, token,
        lease_until, last_error, provider_message_id, started_at, updated_at
    ) VALUES (
        %(id)s, %(event)s, %(event_type)s, %(event_time)s, %(subject)s, %(channel)s,
        %(route)s, %(recipient)s, %(address)s, %(address_hash)s, %(locale)s, 'sending', '',
        %(generation)s, 1, %(token)s, statement_timestamp() + %(lease)s, '', '',
        statement_timestamp(), statement_timestamp()
    )
    ON CONFLICT (event_id, channel, recipient, route) DO UPDATE SET
        state = 'sending',
        reason = '',
        token = EXCLUDED.token,
        lease_until = EXCLUDED.lease_until,
        next_try_at = NULL,
        attempts = delivery.attempts + 1,
        address = EXCLUDED.address,
        address_hash = EXCLUDED.address_hash,
        locale = EXCLUDED.locale,
        started_at = COALESCE(delivery.started_at, EXCLUDED.started_at),
        updated_at = EXCLUDED.updated_at
    WHERE delivery.generation <= EXCLUDED.generation
      AND CASE delivery.state
          WHEN 'pending' THEN COALESCE(delivery.next_try_at <= statement_timestamp(), TRUE)
          WHEN 'retrying' THEN COALESCE(delivery.next_try_at <= statement_timestamp(), TRUE)
          WHEN 'unknown' THEN COALESCE(delivery.next_try_at <= statement_timestamp(), FALSE)
          ELSE FALSE
      END
    RETURNING delivery.id, delivery.subject, delivery.generation, delivery.attempts
)
INSERT INTO notifications_attempt (
    delivery_id, subject, generation, number, token, outcome,
    provider, code, detail, provider_message_id, task_id, worker
)
SELECT id, subject, generation, attempts, %(token)s, 'started', '', '', '', '', %(task)s, %(worker)s
FROM claimed
RETURNING delivery_id, generation, number
"""


def insert_or_take_over(
    envelope: Envelope,
    *,
    channel: str,
    route: Route,
    recipient: Recipient,
    lease: timedelta,
    task_id: UUID | str | None,
    worker: str,
    using: str,
) -> Claim | None:
    """The claim with its delivery and attempt, in one statement; None if the row is not to be had.

    A row of an earlier generation that is still open may be taken: it keeps its own
    generation. One of a later generation belongs to a later message.
    """
    token = uuid4()
    values: dict[str, Any] = {
        "id": uuid7(),
        "event": envelope.id,
        "event_type": envelope.type,
        "event_time": envelope.time,
        "subject": envelope.subject,
        "channel": channel,
        "route": route.name,
        "recipient": recipient.reference,
        "address": recipient.address,
        "address_hash": address_hash(recipient.address),
        "locale": recipient.locale or None,
        "generation": envelope.generation,
        "token": token,
        "lease": lease,
        "task": task_id,
        "worker": worker,
    }
    with connections[using].cursor() as cursor:
        cursor.execute(_CLAIM, values)
        row = cursor.fetchone()
    return Claim(ClaimOutcome.CLAIMED, row[0], token, row[1], row[2]) if row else None
