"""Progress: up to when a consumer has reported on every event that it was expected to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple
from uuid import UUID

from django.db import connections, models
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from notifications.models import wait
from notifications.models.delivery import Delivery

# Subselects that stand in the condition are looked up row by row: as NOT EXISTS they would be
# planned as one join with all outcomes of the last year. What waits for its recipient (the night, a
# digest), or for a person who looks up what became of it, has been reported on: the consumer is not
# late. Nor is anybody late with an announcement, which takes as long as it may.
_LOOK = """
SELECT asked.consumer, found.*, statement_timestamp()
FROM unnest(%(consumers)s::text[], %(channels)s::text[], %(sinces)s::timestamptz[])
    AS asked (consumer, channel, since)
CROSS JOIN LATERAL (
    WITH looked AS MATERIALIZED (
        -- Announcements take as long as they may: nobody is behind with them.
        SELECT
            id, recorded_at,
            announcement_id IS NULL AND asked.consumer = ANY(expected) AS expects
        FROM notifications_event
        WHERE recorded_at >= asked.since AND recorded_at < statement_timestamp()
        ORDER BY recorded_at
        LIMIT %(limit)s
    ), silent AS (
        SELECT id, recorded_at FROM looked
        WHERE expects
            AND (
                SELECT outcome <> 'open' FROM notifications_handled
                WHERE consumer = asked.consumer AND event_id = looked.id
            ) IS NOT TRUE
            AND (
                SELECT bool_and(
                    state = ANY(%(terminal)s)
                    OR reason = %(digest)s
                    OR state = %(unknown)s AND next_try_at IS NULL
                    OR reason = ANY(%(waits)s) AND next_try_at > statement_timestamp()
                ) FROM notifications_delivery
                WHERE event_id = looked.id AND channel = asked.channel
            ) IS NOT TRUE
        ORDER BY recorded_at
        LIMIT 1
    )
    SELECT
        (SELECT count(*) FROM looked),
        (SELECT max(recorded_at) FROM looked),
        (SELECT recorded_at FROM silent),
        (SELECT id FROM silent)
) AS found
"""
_KNOWN = """
SELECT
    asked.consumer,
    GREATEST(statement_timestamp() - %(longest)s, known.upto),
    known.told_at >= statement_timestamp() - %(fresh)s IS TRUE,
    known.owes_since, known.owes_event_id, known.is_sure
FROM unnest(%(consumers)s::text[]) AS asked (consumer)
LEFT JOIN notifications_progress AS known ON known.consumer = asked.consumer
"""
# In one order, so that no two who look at once wait for each other.
_ADVANCE = """
INSERT INTO notifications_progress AS known (consumer, upto, looked_at)
SELECT consumer, upto, statement_timestamp()
FROM unnest(%(consumers)s::text[], %(uptos)s::timestamptz[]) AS come (consumer, upto)
ORDER BY consumer
ON CONFLICT (consumer) DO UPDATE
SET upto = GREATEST(known.upto, EXCLUDED.upto), looked_at = EXCLUDED.looked_at
WHERE known.upto < EXCLUDED.upto
"""


class Known(NamedTuple):
    """What is remembered of a consumer. since: from where to look. is_fresh: a relay has looked of
    late, and found the rest."""

    since: datetime
    is_fresh: bool
    owes_since: datetime | None
    owes_event_id: UUID | None
    is_sure: bool | None


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
    """Each is one statement for all consumers asked about. What is written spares the next look the
    way."""

    def look(
        self, sinces: Mapping[str, datetime], *, channels: Mapping[str, str], limit: int
    ) -> dict[str, Look]:
        """At the first `limit` events since a moment, of each consumer. channels: which each
        serves, empty for a service."""
        values: dict[str, Any] = {
            "consumers": list(sinces),
            "channels": [channels[name] for name in sinces],
            "sinces": list(sinces.values()),
            "limit": limit,
            "terminal": sorted(Delivery.TERMINAL),
            "digest": wait.DIGEST,
            "unknown": Delivery.State.UNKNOWN.value,
            "waits": sorted(wait.WORDS),
        }
        with connections[self.db].cursor() as cursor:
            cursor.execute(_LOOK, values)
            return {name: Look(*found) for name, *found in cursor.fetchall()}

    def advance(self, uptos: Mapping[str, datetime]) -> None:
        """Each has reported on everything recorded before."""
        self._for_write = True
        values: dict[str, Any] = {"consumers": list(uptos), "uptos": list(uptos.values())}
        with connections[self.db].cursor() as cursor:
            cursor.execute(_ADVANCE, values)

    def known(
        self, consumers: Sequence[str], *, longest: timedelta, fresh: timedelta
    ) -> dict[str, Known]:
        """Of each. longest: ago from which to look at most. fresh: for which a relay's word is
        taken."""
        values: dict[str, Any] = {"consumers": list(consumers), "longest": longest, "fresh": fresh}
        with connections[self.db].cursor() as cursor:
            cursor.execute(_KNOWN, values)
            return {name: Known(*found) for name, *found in cursor.fetchall()}


class Progress(models.Model):
    """One row for each consumer, kept by the relays. A hint: without it, the look takes longer.

    told_at: when a relay looked last; None: never. owes_since, owes_event_id: the oldest event on
    which the consumer had not reported then, if there was one. is_sure: False where that look was
    broken off.
    """

    consumer = models.CharField(primary_key=True, max_length=40)
    upto = models.DateTimeField()
    looked_at = models.DateTimeField(db_default=Now())
    owes_since = models.DateTimeField(null=True)
    owes_event_id = models.UUIDField(null=True)
    is_sure = models.BooleanField(null=True)
    told_at = models.DateTimeField(null=True)

    objects = ProgressQuerySet.as_manager()

    class Meta:
        verbose_name = _("progress")
        verbose_name_plural = _("progress")

    def __str__(self) -> str:
        return f"{self.consumer}: {self.upto}"
