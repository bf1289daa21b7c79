"""Provenance: whether an event that bears our name is one that our outbox recorded.

Whoever may publish to a topic may write any `source` on a message. But an event of ours is
committed before a relay publishes it, and workers read the same database: what it does not hold,
just so, was not said by us (`docs/decisions/0055`). It is asked where
NOTIFICATIONS["FOREIGN_EVENTS"] is set; of other publishers' events `notifications.envelope`
refuses those that are not in that list.
"""

from __future__ import annotations

import json
from collections.abc import Hashable, Mapping, Sequence

from django.db import connections, router, transaction

from notifications.conf import conf
from notifications.envelope import Envelope
from notifications.exceptions import PermanentError
from notifications.group_commit import GroupCommit
from notifications.models import Event

# By the primary key; the rest is held against the row that is found. One that a worker kept after a
# restore, or a redrive, is believed in the messages that were ordered here.
_LOOK = """
    SELECT event.id
    FROM json_to_recordset(%s) AS said (
        id uuid, type text, version int, time timestamptz, announcement bigint, data jsonb,
        generation int
    )
    JOIN notifications_event AS event ON event.id = said.id
    WHERE (event.type, event.version, event.time, event.data)
        = (said.type, said.version, said.time, said.data)
      AND event.announcement_id IS NOT DISTINCT FROM said.announcement
      AND (NOT event."foreign" OR EXISTS (
        SELECT FROM notifications_dispatch AS ordered
        WHERE ordered.event_id = event.id AND ordered.generation = said.generation
      ))
"""
_LOOK_AT_THE_PRIMARY = f"{_LOOK} FOR KEY SHARE OF event"


class NotRecorded(PermanentError):
    """An event under our name that our outbox does not hold: forged, or lost with its row."""

    default_code = "not_recorded"
    attempts = 0


def prove(envelope: Envelope) -> None:
    """Raises NotRecorded. Whoever redrives it vouches for it (`notifications.redrive`).

    Its subject needs no proof, for it follows from the data; nor its generation: what was told or
    done once is told or done again only if its own row was opened for that.
    """
    if conf().foreign_events is None or envelope.foreign or envelope.event_type.internal:
        return
    using = router.db_for_write(Event)
    if not (_looks.write(envelope, using=using) or _is_at_the_primary(envelope, using)):
        raise NotRecorded("our outbox has not recorded this event, or not with these facts")


def _is_at_the_primary(envelope: Envelope, using: str) -> bool:
    """A replica that lags, to which a worker is connected after a failover, proves nothing: this
    look locks the row, which a server that only reads refuses. Then the message comes again."""
    with transaction.atomic(using=using), connections[using].cursor() as cursor:
        cursor.execute(_LOOK_AT_THE_PRIMARY, [_said([envelope])])
        return cursor.fetchone() is not None


def _look(envelopes: Sequence[Envelope], *, using: str) -> Mapping[Hashable, bool]:
    with connections[using].cursor() as cursor:
        cursor.execute(_LOOK, [_said(envelopes)])
        recorded = {id for (id,) in cursor.fetchall()}
    return {each.id: each.id in recorded for each in envelopes}


def _said(envelopes: Sequence[Envelope]) -> str:
    names = ("type", "version", "announcement", "data", "generation")
    return json.dumps(
        [
            {
                "id": str(each.id),
                "time": each.time.isoformat(),
                **{name: getattr(each, name) for name in names},
            }
            for each in envelopes
        ]
    )


_looks: GroupCommit[Envelope, bool] = GroupCommit(_look, key=lambda envelope: envelope.id)
"""Asked as what is written is: the questions of many threads at one moment are one statement."""
