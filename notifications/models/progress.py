"""Progress: up to when a consumer has reported on every event that it was expected to."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, NamedTuple
from uuid import UUID

from django.db import connections, models
from django.db.models.functions import Now

from notifications.models import wait
from notifications.models.delivery import Delivery

# Subselects that stand in the condition are looked up row by row: as NOT EXISTS they would be
# planned as one join with all outcomes of the last year. What waits for its recipient (the night, a
# digest) has been reported on: the consumer is not late.
_LOOK = """
WITH looked AS MATERIALIZED (
    -- Announcements take as long as they may: nobody is behind with them.
    SELECT id, recorded_at, announcement_id IS NULL AND %(consumer)s = ANY(expected) AS expects
    FROM notifications_event
    WHERE recorded_at >= %(since)s AND recorded_at < statement_timestamp()
    ORDER BY recorded_at
    LIMIT %(limit)s
), silent AS (
    SELECT id, recorded_at FROM looked
    WHERE expects
        AND (
            SELECT outcome <> 'open' FROM notifications_handled
            WHERE consumer = %(consumer)s AND event_id = looked.id
        ) IS NOT TRUE
        AND (
            SELECT bool_and(
                state = ANY(%(terminal)s)
                OR reason = %(digest)s
                OR reason = ANY(%(waits)s) AND next_try_at > statement_timestamp()
            ) FROM notifications_delivery
            WHERE event_id = looked.id AND channel = %(channel)s
        ) IS NOT TRUE
    ORDER BY recorded_at
    LIMIT 1
)
SELECT
    (SELECT count(*) FROM looked),
    (SELECT max(recorded_at) FROM looked),
    (SELECT recorded_at FROM silent),
    (SELECT id FROM silent),
    statement_timestamp()
"""
_SINCE = """
SELECT GREATEST(
    statement_timestamp() - %(longest)s,
    (SELECT upto FROM notifications_progress WHERE consumer = %(consumer)s)
)
"""
_ADVANCE = """
INSERT INTO notifications_progress AS known (consumer, upto, looked_at)
VALUES (%(consumer)s, %(upto)s, statement_timestamp())
ON CONFLICT (consumer) DO UPDATE
SET upto = GREATEST(known.upto, EXCLUDED.upto), looked_at = EXCLUDED.looked_at
WHERE known.upto < EXCLUDED.upto
"""


class Look(NamedTuple):
    """What one look at the events since a moment found.

    seen: how many there were, up to the limit. last: the latest of them. silent, event_id: the
    oldest on which the consumer has not reported. now: by the database's clock.
    """

    seen: int
    last: datetime | None
    silent: datetime | None
    event_id: UUID | None
    now: datetime


class ProgressQuerySet(models.QuerySet["Progress"]):
    """Each is one statement. What is written spares the next look the way."""

    def look(self, consumer: str, *, channel: str, since: datetime, limit: int) -> Look:
        """At the first `limit` events since then. channel: which it serves, if one."""
        values: dict[str, Any] = {
            "consumer": consumer,
            "channel": channel,
            "since": since,
            "limit": limit,
            "terminal": sorted(Delivery.TERMINAL),
            "digest": wait.DIGEST,
            "waits": sorted(wait.WORDS),
        }
        with connections[self.db].cursor() as cursor:
            cursor.execute(_LOOK, values)
            return Look(*cursor.fetchone())

    def advance(self, consumer: str, upto: datetime) -> None:
        """It has reported on everything recorded before."""
        self._for_write = True
        with connections[self.db].cursor() as cursor:
            cursor.execute(_ADVANCE, {"consumer": consumer, "upto": upto})

    def since(self, consumer: str, longest: timedelta) -> datetime:
        """From where to look: where it was left, and no longer ago than that."""
        values: dict[str, Any] = {"consumer": consumer, "longest": longest}
        with connections[self.db].cursor() as cursor:
            cursor.execute(_SINCE, values)
            found: datetime = cursor.fetchone()[0]
        return found


class Progress(models.Model):
    """One row for each consumer, kept by the relays. A hint: without it, the look takes longer."""

    consumer = models.CharField(primary_key=True, max_length=40)
    upto = models.DateTimeField()
    looked_at = models.DateTimeField(db_default=Now())

    objects = ProgressQuerySet.as_manager()

    class Meta:
        verbose_name_plural = "progress"

    def __str__(self) -> str:
        return f"{self.consumer}: {self.upto}"
