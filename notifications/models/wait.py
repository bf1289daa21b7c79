"""Wait: a delivery that is not begun yet, for a reason and until a moment that stand on its row.

It is `pending`, costs no attempt, and is owed a dispatch that brings its event at that moment.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from uuid import UUID

from django.db import connections
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from notifications.models.claim import ClaimRequest

RECIPIENT_LIMIT = "recipient_limit"
QUIET_HOURS = "quiet_hours"
DIGEST = "digest"

WORDS: Mapping[str, Promise] = {
    RECIPIENT_LIMIT: _("the recipient's limit"),
    QUIET_HOURS: _("quiet hours"),
    DIGEST: _("its digest"),
}
"""The reasons on rows that wait, and how they are said. A claim takes the reason away."""


def words(reason: str, until: datetime | None) -> str:
    """ "waits until 2026-11-26 08:00: quiet hours", the shop's time; empty for other reasons."""
    why = WORDS.get(reason, "")
    if not why or until is None:
        return gettext("waits: %(why)s") % {"why": why} if why else ""
    moment = f"{timezone.localtime(until):%Y-%m-%d %H:%M}"
    return gettext("waits until %(moment)s: %(why)s") % {"moment": moment, "why": why}


# Only what a claim could have: nobody's else lease, and no last state. And only if the moment is
# still ahead by the database's clock: whoever reads it from another may come round at once. Nor is
# a row made for somebody who was forgotten since the shop named them: their claim says so.
_PUT_OFF = """
INSERT INTO notifications_delivery AS delivery (
    id, event_id, event_type, event_time, subject, channel, route, recipient,
    address, address_hash, locale, state, reason, generation, attempts,
    next_try_at, last_error, provider_message_id, updated_at
)
SELECT
    %(id)s, %(event)s, %(event_type)s, %(event_time)s, %(subject)s, %(channel)s, %(route)s,
    %(recipient)s, %(address)s, %(address_hash)s, %(locale)s, 'pending', %(reason)s,
    %(generation)s, 0, %(until)s, '', '', statement_timestamp()
WHERE %(until)s > statement_timestamp() AND NOT EXISTS (
    SELECT FROM notifications_erasure
    WHERE person_hash = ANY (%(forgotten_as)s) AND created_at >= %(event_time)s
)
ON CONFLICT (event_id, channel, recipient, route) DO UPDATE SET
    reason = EXCLUDED.reason, next_try_at = EXCLUDED.next_try_at, updated_at = EXCLUDED.updated_at
WHERE delivery.generation <= EXCLUDED.generation
  AND (
    delivery.state IN ('pending', 'retrying')
        AND COALESCE(delivery.next_try_at <= statement_timestamp(), TRUE)
    OR delivery.state = 'unknown' AND delivery.next_try_at <= statement_timestamp()
  )
RETURNING id, generation
"""

_WAITS = """
SELECT next_try_at FROM notifications_delivery
WHERE event_id = %(event)s AND channel = %(channel)s AND recipient = %(recipient)s
  AND route = %(route)s AND reason = %(reason)s AND next_try_at > statement_timestamp()
"""


def put_off(
    request: ClaimRequest, *, until: datetime, reason: str, using: str
) -> tuple[UUID, int] | None:
    """Let the delivery wait until then: its id and generation. None if it is not to be had now.

    Part of the caller's transaction, which owes it a dispatch.
    """
    parameters = {**vars(request), "until": until, "reason": reason}
    with connections[using].cursor() as cursor:
        cursor.execute(_PUT_OFF, parameters)
        row = cursor.fetchone()
    return (row[0], row[1]) if row else None


def waits(request: ClaimRequest, *, reason: str, using: str) -> bool:
    """Whether the delivery waits for that reason: its dispatch is ordered already."""
    with connections[using].cursor() as cursor:
        cursor.execute(_WAITS, {**vars(request), "reason": reason})
        return cursor.fetchone() is not None
