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
_OF_LATE = """
    done AS (
        (
            SELECT event_id, received_at, done_at FROM notifications_handled
            WHERE consumer = asked.consumer AND outcome = 'done' AND generation = 0
                AND received_at >= statement_timestamp() - %(span)s
            ORDER BY received_at DESC LIMIT %(sample)s
        ) UNION ALL (
            SELECT event_id, created_at, told_at FROM (
                SELECT event_id, COALESCE(sent_at, finished_at) AS told_at, created_at
                FROM notifications_delivery
                WHERE channel = asked.channel AND generation = 0
                    AND COALESCE(sent_at, finished_at) IS NOT NULL
                    AND created_at >= statement_timestamp() - %(span)s
                ORDER BY created_at DESC LIMIT %(among)s
            ) AS latest
            WHERE (SELECT announcement_id FROM notifications_event WHERE id = event_id) IS NULL
            ORDER BY created_at DESC LIMIT %(sample)s
        )
    )
"""
_PUBLISHED = """
    CROSS JOIN LATERAL (
        SELECT min(published_at) AS at FROM notifications_dispatch
        WHERE event_id = done.event_id AND kind = 'topic'
    ) published
    WHERE published.at IS NOT NULL
"""
_LAGS = f"""
SELECT asked.consumer, found.*
FROM unnest(%(consumers)s::text[], %(channels)s::text[]) AS asked (consumer, channel)
CROSS JOIN LATERAL (
    WITH {_OF_LATE}
    SELECT count(*), percentile_cont(ARRAY[0.5, 0.95]) WITHIN GROUP (
        ORDER BY EXTRACT(EPOCH FROM done.done_at - published.at)
    )
    FROM done {_PUBLISHED}
) AS found
"""  # noqa: S608 - no value is put in
_STAGES = f"""
SELECT asked.consumer, found.*
FROM unnest(%(consumers)s::text[], %(channels)s::text[]) AS asked (consumer, channel)
CROSS JOIN LATERAL (
    WITH {_OF_LATE}, timed AS (
        SELECT
            EXTRACT(EPOCH FROM published.at - event.recorded_at) AS published,
            EXTRACT(EPOCH FROM done.received_at - published.at) AS received,
            EXTRACT(EPOCH FROM done.done_at - done.received_at) AS done,
            EXTRACT(EPOCH FROM done.done_at - event.recorded_at) AS total
        FROM done JOIN notifications_event AS event ON event.id = done.event_id {_PUBLISHED}
    )
    SELECT
        percentile_cont(ARRAY[0.5, 0.95]) WITHIN GROUP (ORDER BY published),
        percentile_cont(ARRAY[0.5, 0.95]) WITHIN GROUP (ORDER BY received),
        percentile_cont(ARRAY[0.5, 0.95]) WITHIN GROUP (ORDER BY done),
        percentile_cont(ARRAY[0.5, 0.95]) WITHIN GROUP (ORDER BY total)
    FROM timed
) AS found
"""  # noqa: S608 - no value is put in
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


def lags(among: Iterable[Consumer], span: timedelta) -> dict[str, Lag]:
    """By consumer, of what each began within `span` and has done. One statement."""
    return {
        name: Lag(count, *map(float, quantiles)) if quantiles else NO_LAG
        for name, count, quantiles in _of_late(_LAGS, among, span)
    }


STAGES = ("published", "received", "done", "total")
"""Each from the one before, the first from the event's record; the total from there to the end."""


def stages(among: Iterable[Consumer], span: timedelta) -> dict[str, dict[str, tuple[float, float]]]:
    """The same by stage: p50 and p95 in seconds, of each consumer that has done anything."""
    return {
        name: {
            stage: (float(p50), float(p95))
            for stage, (p50, p95) in zip(STAGES, quantiles, strict=True)
        }
        for name, *quantiles in _of_late(_STAGES, among, span)
        if quantiles[0]
    }


def _of_late(statement: str, among: Iterable[Consumer], span: timedelta) -> list[tuple[Any, ...]]:
    asked = list(among)
    values: dict[str, Any] = {
        "consumers": [each.name for each in asked],
        "channels": [each.channel for each in asked],
        "span": span,
        "sample": SAMPLE,
        "among": AMONG,
    }
    with connection.cursor() as cursor:
        cursor.execute(statement, values)
        rows: list[tuple[Any, ...]] = cursor.fetchall()
    return rows


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
