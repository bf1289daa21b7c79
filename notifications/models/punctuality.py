"""Punctuality: of how many events of a type customers were told in time, by minute and hour."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from django.db import connections, models
from django.utils.translation import gettext_lazy as _

from notifications.models.due_minutes import due_minutes
from notifications.models.judgement import JUDGED, Asked, values_of

BY_MINUTE, BY_HOUR = 1, 60
"""Widths, in minutes."""

_KNOWN = """
SELECT start AS minute, min(computed_at) AS computed_at
FROM notifications_punctuality
WHERE width = 1 AND start >= date_trunc('minute', statement_timestamp() - %(span)s)
  AND event_type = ANY(%(types)s::text[])
GROUP BY start
HAVING count(*) = cardinality(%(types)s::text[])
"""

_COMPUTE = """
{judged}
INSERT INTO notifications_punctuality (width, start, event_type, due, in_time, computed_at)
SELECT 1, every.minute, asked.event_type, COALESCE(counted.due, 0),
    COALESCE(counted.in_time, 0), statement_timestamp()
FROM generate_series(
    %(since)s, %(until)s - interval '1 minute', interval '1 minute'
) AS every (minute)
CROSS JOIN asked
LEFT JOIN (
    SELECT date_trunc('minute', recorded_at) AS minute, type,
        count(*) FILTER (WHERE verdict IN ('in_time', 'late')) AS due,
        count(*) FILTER (WHERE verdict = 'in_time') AS in_time
    FROM judged
    GROUP BY 1, 2
) AS counted ON counted.minute = every.minute AND counted.type = asked.event_type
ORDER BY 2, 3
ON CONFLICT (width, event_type, start) DO UPDATE
SET due = EXCLUDED.due, in_time = EXCLUDED.in_time, computed_at = EXCLUDED.computed_at
"""

# Minutes are kept until none of them is computed again, so an hour's sum is always of all its own.
_ADD_UP = """
INSERT INTO notifications_punctuality (width, start, event_type, due, in_time, computed_at)
SELECT 60, date_bin('1 hour', start, 'epoch'::timestamptz) AS hour, event_type,
    sum(due), sum(in_time), max(computed_at)
FROM notifications_punctuality
WHERE width = 1 AND event_type = ANY(%(types)s::text[])
  AND start >= date_bin('1 hour', %(since)s, 'epoch'::timestamptz)
  AND start < date_bin('1 hour', %(until)s - interval '1 minute', 'epoch'::timestamptz)
        + interval '1 hour'
GROUP BY 2, 3
ORDER BY 2, 3
ON CONFLICT (width, event_type, start) DO UPDATE
SET due = EXCLUDED.due, in_time = EXCLUDED.in_time, computed_at = EXCLUDED.computed_at
"""

_TALLIES = """
SELECT counted.event_type, span.name, sum(counted.due), sum(counted.in_time)
FROM unnest(
    %(types)s::text[], %(names)s::text[], %(widths)s::int[], %(sinces)s::timestamptz[],
    %(untils)s::timestamptz[]
) AS span (event_type, name, width, since, until)
JOIN notifications_punctuality AS counted
    ON counted.width = span.width AND counted.event_type = span.event_type
    AND counted.start >= span.since AND counted.start < span.until
GROUP BY 1, 2
"""


class Tally(NamedTuple):
    """due: events of which it is known by now whether they were told in time. in_time: those that
    were."""

    due: int = 0
    in_time: int = 0

    @property
    def late(self) -> int:
        return self.due - self.in_time

    @property
    def part(self) -> float | None:
        """In time, of those that were due; None: none was."""
        return self.in_time / self.due if self.due else None


class Span(NamedTuple):
    """Of one event type, from a moment to before another; width: of what it is added up from."""

    event_type: str
    name: str
    width: int
    since: datetime
    until: datetime


class PunctualityQuerySet(models.QuerySet["Punctuality"]):
    def due(
        self, span: timedelta, ages: Sequence[timedelta], *, types: Sequence[str]
    ) -> list[datetime]:
        """The minutes of the last `span` that are to be computed: of which some type is not known,
        or which have come to one of `ages` since they were over; the latest first."""
        return due_minutes(_KNOWN, span, ages, using=self.db, values={"types": list(types)})

    def compute(self, since: datetime, until: datetime, *, asked: Sequence[Asked]) -> None:
        """Each whole minute from `since` to before `until`, and their hours, from the rows as they
        are now. In the caller's transaction."""
        values = values_of(since, until, asked)
        with connections[self.db].cursor() as cursor:
            cursor.execute(_COMPUTE.format(judged=JUDGED), values)
            cursor.execute(_ADD_UP, values)

    def tallies(self, spans: Sequence[Span]) -> Mapping[tuple[str, str], Tally]:
        """By event type and span's name."""
        names = ("types", "names", "widths", "sinces", "untils")
        columns = [list(column) for column in zip(*spans, strict=True)] or [[] for _ in names]
        with connections[self.db].cursor() as cursor:
            cursor.execute(_TALLIES, dict(zip(names, columns, strict=True)))
            return {(kind, name): Tally(*sums) for kind, name, *sums in cursor.fetchall()}


class Punctuality(models.Model):
    """One event type's minute or hour. Written by the relays (`notifications.objectives`)."""

    id = models.BigAutoField(primary_key=True)
    width = models.PositiveSmallIntegerField(help_text=_("Minutes: 1, or 60."))
    event_type = models.CharField(max_length=100)
    start = models.DateTimeField(help_text=_("Its beginning; events recorded from then on."))
    due = models.PositiveIntegerField(default=0)
    in_time = models.PositiveIntegerField(default=0)
    computed_at = models.DateTimeField()

    objects = PunctualityQuerySet.as_manager()

    class Meta:
        verbose_name = _("punctuality")
        verbose_name_plural = _("punctuality")
        constraints = [
            models.UniqueConstraint(
                fields=["width", "event_type", "start"], name="punctuality_once"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.event_type} at {self.start:%H:%M}"
