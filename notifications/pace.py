"""Pace: how quickly consumers are done with events, and how many they do, in the last minutes."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.db import connection

from notifications.consumers import Consumer

SAMPLE = 1000
"""Outcomes at most from which a lag is told, the latest."""

AMONG = 20 * SAMPLE
"""Deliveries at most among which these are looked for, while an announcement goes out beside."""

# First generation only: what was mended days later says nothing of how quickly anybody works. Nor
# does an announcement, which is published nowhere and waits for its turn behind everything else.
_LAG = """
WITH done AS (
    (
        SELECT event_id, done_at FROM notifications_handled
        WHERE consumer = %(consumer)s AND outcome = 'done' AND generation = 0
            AND received_at >= statement_timestamp() - %(span)s
        ORDER BY received_at DESC LIMIT %(sample)s
    ) UNION ALL (
        SELECT event_id, told_at FROM (
            SELECT event_id, COALESCE(sent_at, finished_at) AS told_at, created_at
            FROM notifications_delivery
            WHERE channel = %(channel)s AND generation = 0
                AND COALESCE(sent_at, finished_at) IS NOT NULL
                AND created_at >= statement_timestamp() - %(span)s
            ORDER BY created_at DESC LIMIT %(among)s
        ) AS latest
        WHERE (SELECT announcement_id FROM notifications_event WHERE id = event_id) IS NULL
        ORDER BY created_at DESC LIMIT %(sample)s
    )
)
SELECT count(*), percentile_cont(ARRAY[0.5, 0.95]) WITHIN GROUP (
    ORDER BY EXTRACT(EPOCH FROM done.done_at - published.at)
)
FROM done CROSS JOIN LATERAL (
    SELECT min(published_at) AS at FROM notifications_dispatch
    WHERE event_id = done.event_id AND kind = 'topic'
) published
WHERE published.at IS NOT NULL
"""
_DONE = """
SELECT consumer, '', count(*), EXTRACT(EPOCH FROM statement_timestamp() - min(done_at))
FROM notifications_handled
WHERE outcome = 'done' AND received_at >= statement_timestamp() - %(span)s
GROUP BY consumer
UNION ALL
SELECT '', channel, count(DISTINCT event_id),
    EXTRACT(EPOCH FROM statement_timestamp() - min(COALESCE(sent_at, finished_at)))
FROM notifications_delivery
WHERE COALESCE(sent_at, finished_at) IS NOT NULL
    AND created_at >= statement_timestamp() - %(span)s
GROUP BY channel
"""


@dataclass(frozen=True)
class Lag:
    """Seconds from publication to done, of `count` outcomes; None where there were none."""

    count: int
    p50: float | None = None
    p95: float | None = None


NO_LAG = Lag(0)


def lag(consumer: Consumer, span: timedelta) -> Lag:
    """Of what the consumer began within `span` and has done."""
    values: dict[str, Any] = {
        "consumer": consumer.name,
        "channel": consumer.channel,
        "span": span,
        "sample": SAMPLE,
        "among": AMONG,
    }
    with connection.cursor() as cursor:
        cursor.execute(_LAG, values)
        count, quantiles = cursor.fetchone()
    return Lag(count, *map(float, quantiles)) if quantiles else NO_LAG


def rates(among: Iterable[Consumer], span: timedelta) -> dict[str, float]:
    """Events a second that each has done, by consumer, within `span`, or since the first of them.

    What is resent or redriven is not among them. Absent: who has done nothing.
    """
    values: dict[str, Any] = {"span": span}
    with connection.cursor() as cursor:
        cursor.execute(_DONE, values)
        rows = cursor.fetchall()
    found: dict[str, float] = {}
    for consumer in among:
        for name, channel, count, seconds in rows:
            if name == consumer.name or (channel and channel == consumer.channel):
                rate = count / max(1.0, float(seconds))
                found[consumer.name] = found.get(consumer.name, 0.0) + rate
    return found
