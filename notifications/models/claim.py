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
from notifications.recipients import Recipient, address_hash, forgotten_as
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

    forgotten_as: see `recipients`. address: sealed.
    """

    id: UUID
    event: UUID
    event_type: str
    event_time: datetime
    subject: str
    channel: str
    route: str
    recipient: str
    forgotten_as: list[str]
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
            forgotten_as=forgotten_as(recipient.reference),
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
#
# Race: somebody is forgotten after the shop has named them. Of what happened until then they are
# not told; their row says so and holds nothing of them.
_CLAIM = """
WITH asked AS (
    SELECT
        *,
        EXISTS (
            SELECT FROM notifications_erasure
            WHERE person_hash = ANY (forgotten_as) AND created_at >= event_time
        ) AS forgotten
    FROM json_to_recordset(%s) AS asked (
        id uuid, event uuid, event_type text, event_time timestamptz, subject text, channel text,
        route text, recipient text, forgotten_as text[], address text, address_hash text,
        locale text, generation int, token uuid, lease float8, task uuid, worker text
    )
    LIMIT %s -- tells the planner how many there are
), claimed AS (
    INSERT INTO notifications_delivery AS delivery (
        id, event_id, event_type, event_time, subject, channel, route, recipient,
        address, address_hash, locale, state, reason, generation, attempts, token,
        lease_until, last_error, provider_message_id, started_at, finished_at, updated_at
    )
    SELECT
        id, event, event_type, event_time, subject, channel, route, recipient,
        CASE WHEN forgotten THEN '' ELSE address END,
        CASE WHEN forgotten THEN '' ELSE address_hash END,
        CASE WHEN NOT forgotten THEN locale END,
        CASE WHEN forgotten THEN 'discarded' ELSE 'sending' END,
        CASE WHEN forgotten THEN 'forgotten' ELSE '' END,
        generation,
        CASE WHEN forgotten THEN 0 ELSE 1 END,
        token,
        CASE WHEN NOT forgotten THEN statement_timestamp() + make_interval(secs => lease) END,
        '', '',
        CASE WHEN NOT forgotten THEN statement_timestamp() END,
        CASE WHEN forgotten THEN statement_timestamp() END,
        statement_timestamp()
    FROM asked
    ORDER BY event, channel, recipient, route
    ON CONFLICT (event_id, channel, recipient, route) DO UPDATE SET
        state = EXCLUDED.state,
        reason = EXCLUDED.reason,
        token = EXCLUDED.token,
        lease_until = EXCLUDED.lease_until,
        next_try_at = NULL,
        attempts = delivery.attempts + EXCLUDED.attempts,
        address = EXCLUDED.address,
        address_hash = EXCLUDED.address_hash,
        locale = EXCLUDED.locale,
        started_at = COALESCE(delivery.started_at, EXCLUDED.started_at),
        finished_at = EXCLUDED.finished_at,
        updated_at = EXCLUDED.updated_at
    WHERE delivery.generation <= EXCLUDED.generation
      AND CASE delivery.state
          WHEN 'pending' THEN COALESCE(delivery.next_try_at <= statement_timestamp(), TRUE)
          WHEN 'retrying' THEN COALESCE(delivery.next_try_at <= statement_timestamp(), TRUE)
          WHEN 'unknown' THEN COALESCE(delivery.next_try_at <= statement_timestamp(), FALSE)
          ELSE FALSE
      END
    RETURNING
        delivery.id, delivery.subject, delivery.generation, delivery.attempts, delivery.token,
        delivery.state
)
INSERT INTO notifications_attempt (
    delivery_id, subject, generation, number, token, outcome,
    provider, code, detail, provider_message_id, task_id, worker
)
SELECT
    claimed.id, claimed.subject, claimed.generation, claimed.attempts, claimed.token, 'started',
    '', '', '', '', asked.task, asked.worker
FROM claimed JOIN asked ON asked.token = claimed.token
WHERE claimed.state = 'sending'
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
