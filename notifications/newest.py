"""Newest: the latest deliveries of some channels, event types and states, however rare these are.

A plain `WHERE state = … ORDER BY created_at DESC LIMIT 51` walks from the newest row to the oldest
until it has 51 of them: over the whole table when nothing matches, which no planner knows
beforehand. Here the kinds of rows that there are (channel, event type, state: some dozens) are
found first, by a step in the index each; then each kind that is wanted gives its own newest 51,
which lie side by side in the index; and the newest 51 of these are the page. What is read depends
on the number of kinds, not on that of rows. Failures of one cause have an index of their own, which
holds what is open and nothing else: there all of the cause's are read. See docs/decisions/0043.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.db.models import QuerySet
from django.db.models.expressions import RawSQL

from notifications.failure_counts import FAILURE
from notifications.models import Delivery

KIND = ("channel", "event_type", "state")

# Each condition on the table is in the index `delivery_newest_of_kind`, in this order.
_FOUND = """
WITH RECURSIVE kind AS (
    (SELECT channel, event_type, state FROM notifications_delivery
     ORDER BY channel, event_type, state LIMIT 1)
    UNION ALL
    SELECT following.* FROM kind CROSS JOIN LATERAL (
        SELECT channel, event_type, state FROM notifications_delivery
        WHERE (channel, event_type, state) > (kind.channel, kind.event_type, kind.state)
        ORDER BY channel, event_type, state LIMIT 1
    ) following
)
SELECT page.id FROM kind CROSS JOIN LATERAL (
    SELECT id, created_at FROM notifications_delivery
    WHERE channel = kind.channel AND event_type = kind.event_type AND state = kind.state{within}
    ORDER BY created_at {way}, id {way} LIMIT %s
) page
WHERE {wanted}
ORDER BY page.created_at {way}, page.id {way} LIMIT %s
"""

# MATERIALIZED: the planner is not to take them in the order of the page, from the newest of all.
_OF_CAUSE = f"""
WITH kind AS MATERIALIZED (
    SELECT id, created_at, channel, event_type, state FROM notifications_delivery
    WHERE fingerprint = ANY(%s) AND {FAILURE}
)
SELECT id FROM kind WHERE {{wanted}}{{within}}
ORDER BY created_at {{way}}, id {{way}} LIMIT %s
"""  # noqa: S608 - a constant of ours


@dataclass(frozen=True)
class Wanted:
    """kinds: the values that columns of KIND may have, where they matter. since: included;
    until: not. causes: fingerprints of failures that nobody has seen to; None: of whatever."""

    kinds: Mapping[str, Collection[str]] = field(default_factory=dict)
    since: datetime | None = None
    until: datetime | None = None
    causes: Collection[str] | None = None

    def read(
        self,
        queryset: QuerySet[Delivery],
        ordering: Sequence[str],
        beyond: Sequence[Any] | None,
        limit: int,
    ) -> QuerySet[Delivery]:
        """The first `limit` of all deliveries that are wanted, as `keyset.read` would have it.

        ordering: by creation and id, either way. Of `queryset` only the database counts: filters
        beside what is wanted would let the planner choose a walk again.
        """
        within: list[tuple[str, list[Any]]] = []
        if self.since is not None:
            within.append(("created_at >= %s", [self.since]))
        if self.until is not None:
            within.append(("created_at < %s", [self.until]))
        newest_first = ordering[0].startswith("-")
        if beyond is not None:
            within.append((f"(created_at, id) {'<' if newest_first else '>'} (%s, %s)", [*beyond]))
        wanted = [(f"kind.{name} = ANY(%s)", [list(self.kinds[name])]) for name in self.kinds]
        end = ("", [limit])
        if self.causes is None:
            sql, values = _FOUND, [*within, end, *wanted, end]
        else:
            sql, values = _OF_CAUSE, [("", [list(self.causes)]), *wanted, *within, end]
        sql = sql.format(
            within="".join(f" AND {condition}" for condition, _ in within),
            wanted=" AND ".join(condition for condition, _ in wanted) or "TRUE",
            way="DESC" if newest_first else "ASC",
        )
        found = RawSQL(sql, [value for _, given in values for value in given])  # noqa: S611
        return Delivery.objects.using(queryset.db).filter(pk__in=found).order_by(*ordering)
