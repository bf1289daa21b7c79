"""Due minutes: which of those that are added up from the rows are to be computed now."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from django.db import connections

MINUTE = timedelta(minutes=1)

# A minute is computed again at each of these ages, so that what ended late is in it.
_DUE = """
WITH known AS ({known})
SELECT every.minute
FROM generate_series(
    date_trunc('minute', statement_timestamp() - %(span)s),
    date_trunc('minute', statement_timestamp()) - interval '1 minute',
    interval '1 minute'
) AS every (minute)
LEFT JOIN known ON known.minute = every.minute
WHERE EXISTS (
    SELECT FROM unnest(%(ages)s::interval[]) AS ages (age)
    WHERE statement_timestamp() >= every.minute + interval '1 minute' + age
      AND (known.computed_at < every.minute + interval '1 minute' + age) IS NOT FALSE
)
ORDER BY every.minute DESC
"""


def due_minutes(
    known: str,
    span: timedelta,
    ages: Sequence[timedelta],
    *,
    using: str,
    values: Mapping[str, Any] | None = None,
) -> list[datetime]:
    """The minutes of the last `span` that are to be computed, for the first time or at one of
    `ages` since they were over; the latest first.

    known: the query of those computed, as minute and computed_at; it may use `span` and `values`.
    """
    with connections[using].cursor() as cursor:
        given = {**(values or {}), "span": span, "ages": list(ages)}
        cursor.execute(_DUE.format(known=known), given)
        return [row[0] for row in cursor.fetchall()]
