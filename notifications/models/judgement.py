"""Judgement: of each event of some minutes, whether its customers were told in time.

Decision 0049 says what counts and from when on.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from django.db import connections

from notifications.models.delivery import Delivery
from notifications.models.dispatch import Dispatch
from notifications.models.due_minutes import MINUTE
from notifications.models.settlement import SETTLED_BY_OPERATOR

# Every event that had to be told, whether or not anybody has come to it: a worker that is away
# leaves no delivery. Told is the first that a provider took, by the attempts: a resend writes over
# what stands on the delivery. Why nobody was told in time is asked only of those of which nobody
# was. Subselects stand in the CASE so that they are looked up row by row. Dispatches are found by
# their event: || '' keeps the planner from the index by reason, where all of a night's stand.
JUDGED = """
WITH asked AS (
    SELECT * FROM json_to_recordset(%(asked)s) AS asked (
        event_type text, route text, seconds float8, channels text[], consumers text[]
    )
), looked AS MATERIALIZED (
    SELECT event.id, event.type, event.subject, event.recorded_at, event.expected,
        asked.route, asked.channels, asked.consumers,
        event.recorded_at + make_interval(secs => asked.seconds) AS due_at,
        (
            SELECT min(attempt.finished_at)
            FROM notifications_delivery AS delivery
            JOIN notifications_attempt AS attempt ON attempt.delivery_id = delivery.id
            WHERE delivery.event_id = event.id AND delivery.channel = ANY(asked.channels)
              AND delivery.route = asked.route
              AND (
                attempt.outcome = 'sent'
                OR attempt.outcome = 'unknown' AND attempt.generation = delivery.generation
                    AND attempt.number = delivery.attempts
                    AND delivery.reason = %(by_operator)s AND delivery.state = ANY(%(told)s::text[])
              )
        ) AS told_at
    FROM notifications_event AS event JOIN asked ON asked.event_type = event.type
    WHERE event.type = ANY(%(types)s::text[]) AND event.announcement_id IS NULL
      AND event.recorded_at >= %(since)s AND event.recorded_at < %(until)s
), judged AS MATERIALIZED (
    SELECT looked.*, CASE
        WHEN told_at <= due_at THEN 'in_time'
        WHEN statement_timestamp() < due_at THEN 'open'
        WHEN EXISTS (  -- a duty that nobody held back or called off on purpose
            SELECT FROM notifications_delivery AS delivery
            WHERE delivery.event_id = looked.id AND delivery.channel = ANY(looked.channels)
              AND delivery.route = looked.route
              AND (delivery.state <> 'skipped' OR delivery.reason = 'expired')
              AND NOT EXISTS (
                SELECT FROM notifications_dispatch AS held
                JOIN unnest(looked.channels, looked.consumers) AS counting (channel, consumer)
                    ON held.destination IN (consumer, consumer || '-bulk')
                WHERE held.event_id = looked.id AND held.reason || '' = ANY(%(holds)s::text[])
                  AND counting.channel = delivery.channel
              )
        ) OR EXISTS (  -- a channel that was asked and has not come to it
            SELECT FROM unnest(looked.channels, looked.consumers) AS counting (channel, consumer)
            WHERE (
                consumer = ANY(looked.expected)
                OR EXISTS (
                    SELECT FROM notifications_dispatch AS step
                    WHERE step.event_id = looked.id AND step.reason || '' = %(step)s
                      AND step.destination IN (consumer, consumer || '-bulk')
                )
              )
              AND NOT EXISTS (
                SELECT FROM notifications_delivery AS delivery
                WHERE delivery.event_id = looked.id AND delivery.channel = counting.channel
              )
              AND NOT EXISTS (
                SELECT FROM notifications_handled AS handled
                WHERE handled.consumer = counting.consumer AND handled.event_id = looked.id
                  AND handled.outcome = 'done'
              )
        ) THEN 'late'
        ELSE 'not_due'
    END AS verdict
    FROM looked
)
"""

_LATE = """
{judged}
SELECT id, subject, recorded_at, told_at FROM judged
WHERE verdict = 'late'
ORDER BY recorded_at DESC, id DESC
LIMIT %(limit)s
"""


@dataclass(frozen=True)
class Asked:
    """Which events are looked at, and which of their deliveries. seconds: within which one is to be
    told. consumers: that serve the channels, in their order."""

    event_type: str
    route: str
    seconds: float
    channels: tuple[str, ...]
    consumers: tuple[str, ...]


class Late(NamedTuple):
    """An event that was not told in time. told_at: when it was; None: not yet, or never."""

    event_id: UUID
    subject: str
    recorded_at: datetime
    told_at: datetime | None


def late_of(minute: datetime, *, asked: Asked, limit: int, using: str) -> list[Late]:
    """The events of that minute that were not told in time, the latest first."""
    with connections[using].cursor() as cursor:
        values = {**values_of(minute, minute + MINUTE, [asked]), "limit": limit}
        cursor.execute(_LATE.format(judged=JUDGED), values)
        return [Late(*row) for row in cursor.fetchall()]


def values_of(since: datetime, until: datetime, asked: Sequence[Asked]) -> dict[str, Any]:
    """What JUDGED is asked, of the events recorded from `since` to before `until`."""
    return {
        "since": since,
        "until": until,
        "types": [each.event_type for each in asked],
        "asked": json.dumps([vars(each) for each in asked]),
        "by_operator": SETTLED_BY_OPERATOR,
        "told": [Delivery.State.SENT, Delivery.State.DELIVERED, Delivery.State.COMPLAINED],
        "holds": [Dispatch.Reason.QUIET_HOURS, Dispatch.Reason.THROTTLED],
        "step": Dispatch.Reason.FELL_BACK,
    }
