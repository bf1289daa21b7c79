"""Claim: who works a delivery now, for how long, and what a second comer is told."""

from __future__ import annotations

import enum
import json
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID, uuid4

from django.db import connections

from notifications.conf import Route
from notifications.envelope import Envelope
from notifications.group_commit import GroupCommit
from notifications.identifiers import uuid7
from notifications.recipients import Recipient, address_hash
from notifications.sealed import seal


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


@dataclass(frozen=True)
class ClaimRequest:
    """A wish for one delivery, inserted or taken over, for `lease` seconds; `token` is new.

    address: sealed.
    """

    id: UUID
    event: UUID
    event_type: str
    event_time: datetime
    subject: str
    channel: str
    route: str
    recipient: str
    address: str
    address_hash: str
    locale: str | None
    generation: int
    token: UUID
    lease: float
    task: UUID | str | None
    worker: str

    @classmethod
    def of(
        cls,
        envelope: Envelope,
        *,
        channel: str,
        route: Route,
        recipient: Recipient,
        lease: timedelta,
        task_id: UUID | str | None,
        worker: str,
    ) -> ClaimRequest:
        return cls(
            id=uuid7(),
            event=envelope.id,
            event_type=envelope.type,
            event_time=envelope.time,
            subject=envelope.subject,
            channel=channel,
            route=route.name,
            recipient=recipient.reference,
            address=seal(recipient.address),
            address_hash=address_hash(recipient.address),
            locale=recipient.locale or None,
            generation=envelope.generation,
            token=uuid4(),
            lease=lease.total_seconds(),
            task=task_id,
            worker=worker,
        )

    @property
    def key(self) -> Hashable:
        """One row's: a statement cannot change it twice."""
        return self.event, self.channel, self.recipient, self.route


# Two workers that insert at once meet in the unique key: the second waits for the first's
# commit, then weighs the condition against the row it left, finds a live lease and gets
# nothing. Many rows at once are taken in the order of that key, or two workers would wait for
# each other. The Attempt comes with the claim or not at all. Times are the database's, because
# the hosts that compare them disagree.
_CLAIM = """
WITH asked AS (
    SELECT * FROM json_to_recordset(%s) AS asked (
        id uuid, event uuid, event_type text, event_time timestamptz, subject text, channel text,
        route text, recipient text, address text, address_hash text, locale text,
        generation int, token uuid, lease float8, task uuid, worker text
    )
    LIMIT %s -- tells the planner how many there are
), claimed AS (
    INSERT INTO notifications_delivery AS delivery (
        id, event_id, event_type, event_time, subject, channel, route, recipient,
        address, address_hash, locale, state, reason, generation, attempts, token,
        lease_until, last_error, provider_message_id, started_at, updated_at
    )
    SELECT
        id, event, event_type, event_time, subject, channel, route, recipient,
        address, address_hash, locale, 'sending', '', generation, 1, token,
        statement_timestamp() + make_interval(secs => lease), '', '',
        statement_timestamp(), statement_timestamp()
    FROM asked
    ORDER BY event, channel, recipient, route
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
    RETURNING
        delivery.id, delivery.subject, delivery.generation, delivery.attempts, delivery.token
)
INSERT INTO notifications_attempt (
    delivery_id, subject, generation, number, token, outcome,
    provider, code, detail, provider_message_id, task_id, worker
)
SELECT
    claimed.id, claimed.subject, claimed.generation, claimed.attempts, claimed.token, 'started',
    '', '', '', '', asked.task, asked.worker
FROM claimed JOIN asked ON asked.token = claimed.token
RETURNING token, delivery_id, generation, number
"""


def insert_or_take_over(
    requests: Sequence[ClaimRequest], *, using: str
) -> Mapping[Hashable, Claim | None]:
    """The claims with their deliveries and attempts; None for a row that is not to be had.

    A row of an earlier generation that is still open may be taken: it keeps its own
    generation. One of a later generation belongs to a later message.
    """
    asked = json.dumps([vars(request) for request in requests], default=str)
    with connections[using].cursor() as cursor:
        cursor.execute(_CLAIM, [asked, len(requests)])
        given = {
            token: Claim(ClaimOutcome.CLAIMED, delivery, token, generation, number)
            for token, delivery, generation, number in cursor.fetchall()
        }
    return {request.key: given.get(request.token) for request in requests}


claims: GroupCommit[ClaimRequest, Claim | None] = GroupCommit(
    insert_or_take_over, key=lambda request: request.key
)
