"""Throttle: a delivery that waits because its recipient has been told enough for now."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import connections

from notifications.models.claim import ClaimRequest
from notifications.models.wait import RECIPIENT_LIMIT as REASON
from notifications.models.wait import put_off


@dataclass(frozen=True)
class Throttle:
    """until: when there is room. is_new: False for a row that waits already, dispatch and all."""

    until: datetime
    is_new: bool


# Whoever asks for the same recipient waits here for the other's claim to be committed: it counts.
_LOCK = "SELECT pg_advisory_xact_lock(hashtextextended(%(lock)s, 0))"

# What counts, and when: what is being sent, now; what was sent, and what may have been, then;
# what waits, when it is due. With the `most` latest of these a window is full until the oldest
# of them leaves it, so that a hundred deliveries at once wait for a place of their own each.
#
# Of a partner there may be millions: what is in hand and what was sent long after it was made have
# an index each, and the rest was made in the window, or an hour before it.
_IN_HAND = "(state IN ('sending', 'unknown') OR next_try_at IS NOT NULL)"
LOOK = f"""
WITH theirs AS NOT MATERIALIZED (
    SELECT * FROM notifications_delivery
    WHERE channel = %(channel)s AND recipient = %(recipient)s
      AND (event_id, route) <> (%(event)s, %(route)s)
), told AS (
    SELECT
        CASE
            WHEN state = 'sending' THEN statement_timestamp()
            WHEN reason = %(reason)s AND state IN ('pending', 'retrying', 'unknown')
                THEN next_try_at
            WHEN state = 'unknown' THEN updated_at
            ELSE sent_at
        END AS moment,
        state <> 'sending' AND reason = %(reason)s AS waits
    FROM theirs WHERE {_IN_HAND}
    UNION ALL
    SELECT sent_at, FALSE FROM theirs
    WHERE NOT {_IN_HAND} AND sent_at > statement_timestamp() - %(window)s
      AND created_at > statement_timestamp() - %(window)s - interval '1 hour'
    UNION ALL
    SELECT sent_at, FALSE FROM theirs
    WHERE NOT {_IN_HAND} AND sent_at > statement_timestamp() - %(window)s
      AND created_at <= statement_timestamp() - %(window)s - interval '1 hour'
      AND sent_at - created_at > interval '1 hour'
)
SELECT
    (SELECT next_try_at FROM notifications_delivery
     WHERE channel = %(channel)s AND recipient = %(recipient)s
       AND event_id = %(event)s AND route = %(route)s
       AND reason = %(reason)s AND next_try_at > statement_timestamp()),
    (SELECT count(*) FROM told
     WHERE NOT waits AND moment > statement_timestamp() - %(window)s),
    (SELECT moment + %(window)s FROM told
     WHERE moment IS NOT NULL ORDER BY moment DESC LIMIT 1 OFFSET %(most)s - 1)
"""  # noqa: S608 - a text of ours


def throttle(request: ClaimRequest, *, most: int, window: timedelta, using: str) -> Throttle | None:
    """Let the delivery wait if its recipient has had `most` in the last `window` on its channel.

    Part of the caller's transaction, which is to claim the row when this returns None: until it
    ends, nobody else is answered for this recipient and channel.
    """
    parameters = {
        **vars(request),
        "lock": f"notifications/{request.channel}/{request.recipient}",
        "reason": REASON,
        "most": most,
        "window": window,
    }
    with connections[using].cursor() as cursor:
        cursor.execute(_LOCK, parameters)
        cursor.execute(LOOK, parameters)
        waits_until, told, free_at = cursor.fetchone()
        if waits_until:
            return Throttle(waits_until, is_new=False)
        if told < most:
            return None
    waits = put_off(request, until=free_at, reason=REASON, using=using)
    return Throttle(free_at, is_new=True) if waits else None
