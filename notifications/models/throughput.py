"""Throughput: what each consumer did in one minute, added up so that charts cost nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from django.db import connections, models
from django.utils.translation import gettext_lazy as _

from notifications.models.due_minutes import due_minutes

_KNOWN = """
SELECT minute, max(computed_at) AS computed_at
FROM notifications_throughput
WHERE minute >= date_trunc('minute', statement_timestamp() - %(span)s)
GROUP BY minute
"""

# Each row is counted in one minute, and that never changes: an attempt where it began (its end has
# no index, which would cost every send an update of all of them), an event of a service where it
# ended. Of a channel's own inbox nothing is counted: its attempts tell. A minute in which nothing
# happened has its rows too, so that it is told from one that nobody computed.
_COMPUTE = """
WITH consumers AS (
    SELECT * FROM unnest(%(consumers)s::text[], %(channels)s::text[]) AS consumers (name, channel)
), serving AS (
    SELECT channel, min(name) AS name FROM consumers WHERE channel <> '' GROUP BY channel
), queues AS (
    SELECT * FROM unnest(%(queues)s::text[], %(owners)s::text[]) AS queues (name, consumer)
), counted AS (
    SELECT every.minute, consumers.name AS consumer,
        0 AS done, 0 AS skipped, 0 AS transient, 0 AS failed, 0 AS unknown, 0 AS retries,
        0 AS returned, 0 AS buried, 0 AS events
    FROM generate_series(
        %(since)s, %(until)s - interval '1 minute', interval '1 minute'
    ) AS every (minute), consumers
UNION ALL
    SELECT date_trunc('minute', attempt.started_at), COALESCE(serving.name, delivery.channel),
        count(*) FILTER (WHERE outcome = 'sent'),
        count(*) FILTER (WHERE outcome = 'skipped'),
        count(*) FILTER (WHERE outcome = 'transient'),
        count(*) FILTER (WHERE outcome = 'permanent'),
        count(*) FILTER (WHERE outcome = 'unknown'),
        count(*) FILTER (WHERE number > 1 AND outcome NOT IN ('started', 'paused')),
        0, 0,
        count(DISTINCT event_id) FILTER (WHERE outcome IN ('sent', 'skipped', 'permanent'))
    FROM notifications_attempt AS attempt
    JOIN notifications_delivery AS delivery ON delivery.id = attempt.delivery_id
    LEFT JOIN serving ON serving.channel = delivery.channel
    WHERE attempt.started_at >= %(since)s AND attempt.started_at < %(until)s
    GROUP BY 1, 2
UNION ALL
    SELECT date_trunc('minute', done_at), handled.consumer,
        count(*) FILTER (WHERE outcome = 'done'),
        0,
        sum(GREATEST(attempts - (outcome = 'failed')::int, 0)),
        count(*) FILTER (WHERE outcome = 'failed'),
        0,
        sum(GREATEST(attempts - (outcome = 'failed')::int, 0)),
        0, 0,
        count(*)
    FROM notifications_handled AS handled
    WHERE done_at >= %(since)s AND done_at < %(until)s
      AND NOT EXISTS (
          SELECT FROM consumers WHERE name = handled.consumer AND channel <> ''
      )
    GROUP BY 1, 2
UNION ALL
    SELECT date_trunc('minute', received_at), COALESCE(serving.name, delivery.channel),
        0, 0, 0, 0, 0, 0, count(*), 0, 0
    FROM notifications_receipt AS receipt
    JOIN notifications_delivery AS delivery ON delivery.id = receipt.delivery_id
    LEFT JOIN serving ON serving.channel = delivery.channel
    WHERE receipt.kind IN ('bounced', 'soft_bounced', 'complained', 'rejected')
      AND receipt.received_at >= %(since)s AND receipt.received_at < %(until)s
    GROUP BY 1, 2
UNION ALL
    SELECT date_trunc('minute', letter.created_at), COALESCE(queues.consumer, letter.queue),
        0, 0, 0, 0, 0, 0, 0, count(*), 0
    FROM (  -- in two parts, as its indexes are
        SELECT queue, created_at FROM notifications_deadletter
        WHERE state = 'open' AND created_at >= %(since)s AND created_at < %(until)s
        UNION ALL
        SELECT queue, created_at FROM notifications_deadletter
        WHERE NOT (state = 'open') AND created_at >= %(since)s AND created_at < %(until)s
    ) AS letter
    LEFT JOIN queues ON queues.name = letter.queue
    GROUP BY 1, 2
)
INSERT INTO notifications_throughput (minute, consumer, {columns}, computed_at)
SELECT minute, left(consumer, 80), {sums}, statement_timestamp()
FROM counted
GROUP BY minute, left(consumer, 80)
ORDER BY minute, left(consumer, 80)
ON CONFLICT (minute, consumer) DO UPDATE
SET {updates}, computed_at = EXCLUDED.computed_at
"""

_SERIES = """
SELECT date_bin(%(width)s, minute, 'epoch'::timestamptz), count(DISTINCT minute), {sums}
FROM notifications_throughput
WHERE minute >= %(since)s AND minute < %(until)s AND (%(consumer)s = '' OR consumer = %(consumer)s)
GROUP BY 1
ORDER BY 1
"""

_TOTALS = """
SELECT consumer, {sums}
FROM notifications_throughput
WHERE minute >= %(since)s AND minute < %(until)s
GROUP BY consumer
"""


class Counts(NamedTuple):
    """What happened in some time.

    done: messages that a provider took, or events that a service did. skipped: not sent, for a
    reason. transient: tries that failed for now. failed: tries that failed for good. unknown: whose
    answer never came. retries: tries that were not the first. returned: bounces, refusals and
    complaints that providers told of. buried: dead letters. events: that were over, whatever came
    of them: as many messages less on the queues.
    """

    done: int = 0
    skipped: int = 0
    transient: int = 0
    failed: int = 0
    unknown: int = 0
    retries: int = 0
    returned: int = 0
    buried: int = 0
    events: int = 0

    @property
    def success(self) -> float | None:
        """The part of the tries that went well; None: there was none. Who is skipped is not
        tried."""
        tries = self.done + self.transient + self.failed + self.unknown
        return self.done / tries if tries else None


class Bucket(NamedTuple):
    """Some minutes together. known: of how many minutes there are figures."""

    start: datetime
    known: int
    counts: Counts


_SUMS = ", ".join(f"COALESCE(sum({name}), 0)::bigint" for name in Counts._fields)


class ThroughputQuerySet(models.QuerySet["Throughput"]):
    def due(self, span: timedelta, ages: Sequence[timedelta]) -> list[datetime]:
        """The minutes of the last `span` that are to be computed, for the first time or at one of
        `ages` since they were over; the latest first."""
        return due_minutes(_KNOWN, span, ages, using=self.db)

    def compute(
        self,
        since: datetime,
        until: datetime,
        *,
        channels: Mapping[str, str],
        queues: Mapping[str, str],
    ) -> None:
        """Each whole minute from `since` to before `until`, from the rows as they are now.

        As often as you like: what was there before is written over. channels: by consumer, of
        all that are registered, empty for a service. queues: the consumer of each queue.
        """
        columns = ", ".join(Counts._fields)
        statement = _COMPUTE.format(
            columns=columns,
            sums=", ".join(f"sum({name})" for name in Counts._fields),
            updates=", ".join(f"{name} = EXCLUDED.{name}" for name in Counts._fields),
        )
        values: dict[str, Any] = {
            "since": since,
            "until": until,
            "consumers": list(channels),
            "channels": list(channels.values()),
            "queues": list(queues),
            "owners": list(queues.values()),
        }
        with connections[self.db].cursor() as cursor:
            cursor.execute(statement, values)

    def series(
        self, since: datetime, until: datetime, width: timedelta, *, consumer: str = ""
    ) -> list[Bucket]:
        """By `width`, those in which something is known; of one consumer, or of all."""
        values: dict[str, Any] = {
            "since": since,
            "until": until,
            "width": width,
            "consumer": consumer,
        }
        with connections[self.db].cursor() as cursor:
            cursor.execute(_SERIES.format(sums=_SUMS), values)
            return [Bucket(row[0], row[1], Counts(*row[2:])) for row in cursor.fetchall()]

    def rates(self, since: datetime, until: datetime) -> dict[str, float]:
        """Events a second that each consumer was done with, since the first of them."""
        over = self.filter(minute__gte=since, minute__lt=until, events__gt=0).order_by()
        sums = over.values_list("consumer").annotate(models.Sum("events"), models.Min("minute"))
        return {name: sum_ / (until - first).total_seconds() for name, sum_, first in sums}

    def totals(self, since: datetime, until: datetime) -> dict[str, Counts]:
        """By consumer."""
        with connections[self.db].cursor() as cursor:
            cursor.execute(_TOTALS.format(sums=_SUMS), {"since": since, "until": until})
            return {row[0]: Counts(*row[1:]) for row in cursor.fetchall()}


class Throughput(models.Model):
    """One consumer's minute. Written by the relays (`notifications.throughput`), never by hand.

    The columns are those of `Counts`.
    """

    id = models.BigAutoField(primary_key=True)
    minute = models.DateTimeField(help_text=_("Its beginning."))
    consumer = models.CharField(max_length=80)
    done = models.PositiveIntegerField(default=0)
    skipped = models.PositiveIntegerField(default=0)
    transient = models.PositiveIntegerField(default=0)
    failed = models.PositiveIntegerField(default=0)
    unknown = models.PositiveIntegerField(default=0)
    retries = models.PositiveIntegerField(default=0)
    returned = models.PositiveIntegerField(default=0)
    buried = models.PositiveIntegerField(default=0)
    events = models.PositiveIntegerField(default=0)
    computed_at = models.DateTimeField()

    objects = ThroughputQuerySet.as_manager()

    class Meta:
        verbose_name = _("throughput")
        verbose_name_plural = _("throughput")
        constraints = [
            models.UniqueConstraint(fields=["minute", "consumer"], name="throughput_once"),
        ]

    def __str__(self) -> str:
        return f"{self.consumer} at {self.minute:%H:%M}"
