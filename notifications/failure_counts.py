"""Failure counts: what is failed, unknown or an open dead letter now, counted by what it has in
common, in one statement and from two partial indexes, whatever else there is.

One failure is counted once: the message of a delivery that failed is a dead letter too, and stands
there for its deliveries.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import connections, router

from notifications import consumers, topology
from notifications.models import DeadLetter

MOST = 2000
"""Kinds of failure that are told apart; of more, the most frequent."""

LETTER = "letter"
"""Beside the states of deliveries: the kind of a cell that counts dead letters."""

FAILURE = "(state = 'failed' OR (state = 'unknown' AND next_try_at IS NULL))"
"""As the predicate of the index `delivery_failures` has it."""

_HOUR_AGO = "(SELECT statement_timestamp() - interval '1 hour')"
_TWO_HOURS_AGO = "(SELECT statement_timestamp() - interval '2 hours')"
# In a SELECT of its own it is asked for once, not for each row.

# The time of a failure is when the row came to it: nothing that is at rest is touched again, but to
# forget a person. Of letters, those are `alone` whose deliveries say nothing of it. Who is told by
# one is found by a join: few letters are looked for one by one, many at once. An `IN` among the
# columns would read all failures anew for each letter, once they are too many for one statement's
# memory.
_CELLS = f"""
WITH serving AS (
    SELECT * FROM unnest(%(queues)s::text[], %(channels)s::text[]) AS serving (queue, channel)
), letter AS MATERIALIZED (
    SELECT letter.id, letter.fingerprint, letter.queue, letter.event_type,
        letter.event_id, serving.channel,
        COALESCE(letter.first_seen_at, letter.created_at) AS first_seen_at,
        COALESCE(letter.last_seen_at, letter.created_at) AS last_seen_at
    FROM notifications_deadletter AS letter
    LEFT JOIN serving ON serving.queue = letter.queue
    WHERE letter.state = 'open'
      AND (%(fingerprint)s::text IS NULL OR letter.fingerprint = %(fingerprint)s)
      AND (%(of_queues)s::text[] IS NULL OR letter.queue = ANY(%(of_queues)s::text[]))
      AND (%(event_type)s::text IS NULL OR letter.event_type = %(event_type)s)
      AND %(provider)s::text IS NULL
), told AS MATERIALIZED (
    SELECT id FROM letter WHERE EXISTS (
        SELECT FROM notifications_delivery AS delivery
        WHERE delivery.event_id = letter.event_id AND delivery.channel = letter.channel
          AND {FAILURE}
    )
), counted AS (
    SELECT letter.*, told.id IS NULL AS alone FROM letter LEFT JOIN told ON told.id = letter.id
)
SELECT state AS kind, fingerprint, channel AS place, COALESCE(provider, '') AS provider, event_type,
    count(*) AS total, count(*) AS counted,
    min(updated_at), max(updated_at),
    count(*) FILTER (WHERE updated_at > {_HOUR_AGO}),
    count(*) FILTER (WHERE updated_at > {_TWO_HOURS_AGO}
        AND updated_at <= {_HOUR_AGO}),
    NULL::bigint AS example
FROM notifications_delivery
WHERE {FAILURE}
  AND (%(fingerprint)s::text IS NULL OR fingerprint = %(fingerprint)s)
  AND (%(channel)s::text IS NULL OR channel = %(channel)s)
  AND (%(event_type)s::text IS NULL OR event_type = %(event_type)s)
  AND (%(provider)s::text IS NULL OR provider = %(provider)s)
GROUP BY 1, 2, 3, 4, 5
UNION ALL
SELECT '{LETTER}', fingerprint, queue, '', event_type,
    count(*), count(*) FILTER (WHERE alone),
    min(first_seen_at), max(last_seen_at),
    count(*) FILTER (WHERE alone AND last_seen_at > {_HOUR_AGO}),
    count(*) FILTER (WHERE alone AND last_seen_at > {_TWO_HOURS_AGO}
        AND last_seen_at <= {_HOUR_AGO}),
    max(id)
FROM counted
GROUP BY 1, 2, 3, 4, 5
ORDER BY total DESC, fingerprint
LIMIT %(limit)s
"""  # noqa: S608 - constants of ours


@dataclass(frozen=True)
class Selection:
    """Which failures are meant; None: all of them.

    channel: a consumer's name, so that services have one too. provider: of deliveries only, as no
    dead letter says who was asked.
    """

    fingerprint: str | None = None
    channel: str | None = None
    provider: str | None = None
    event_type: str | None = None


@dataclass(frozen=True)
class Cell:
    """How many failures have all of this in common.

    kind: `failed` or `unknown`, of deliveries by their channel; or LETTER, of open dead letters by
    their queue. counted: without the letters that stand for deliveries.
    """

    kind: str
    fingerprint: str
    place: str
    provider: str
    event_type: str
    total: int
    counted: int
    first_seen_at: datetime
    last_seen_at: datetime
    last_hour: int
    hour_before: int
    example: int | None


def cells(selection: Selection, *, channel: str | None, queues: list[str] | None) -> list[Cell]:
    """The most frequent first, MOST + 1 at most. channel, queues: what the selection's channel
    means; None: all."""
    serving = _serving()
    values: dict[str, Any] = {
        **vars(selection),
        "channel": channel,
        "of_queues": queues,
        "queues": list(serving),
        "channels": list(serving.values()),
        "limit": MOST + 1,
    }
    with connections[router.db_for_read(DeadLetter)].cursor() as cursor:
        cursor.execute(_CELLS, values)
        return [Cell(*row) for row in cursor.fetchall()]


def _serving() -> Mapping[str, str]:
    """The channel that each queue serves, of queues that serve one."""
    found = {
        queue.name: consumers.channel_of(queue.consumer) for queue in topology.current().queues
    }
    return {name: channel for name, channel in found.items() if channel}
