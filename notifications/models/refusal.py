"""Refusal: what a person, or what happened at an address, says against being told. One look."""

from __future__ import annotations

import json
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field

from django.db import connections

from notifications.group_commit import GroupCommit
from notifications.models.suppression import Suppression


@dataclass(frozen=True)
class Question:
    """May this person be told this over `channel`, at the address of these hashes?

    category: empty where what the person prefers does not count.
    """

    person: str
    category: str
    channel: str
    hashes: tuple[str, ...] = field(repr=False)


@dataclass(frozen=True)
class Refusal:
    """suppressed: the weightiest reason, or nothing. wanted: None where the person said nothing."""

    suppressed: str = ""
    wanted: bool | None = None


# Each is one row of an index: whatever else is in these tables, a send costs the same. Of the
# few suppressions of one address the weightiest counts.
_LOOK = """
SELECT
    asked.number,
    (
        SELECT suppression.reason FROM notifications_suppression AS suppression
        WHERE suppression.channel = asked.channel
          AND suppression.address_hash = ANY (asked.hashes)
          AND suppression.removed_at IS NULL
        ORDER BY array_position(%s::text[], suppression.reason::text)
        LIMIT 1
    ),
    (
        SELECT preference.wanted FROM notifications_preference AS preference
        WHERE asked.category <> ''
          AND preference.person = asked.person
          AND preference.category = asked.category
          AND preference.channel = asked.channel
    )
FROM json_to_recordset(%s) AS asked (
    number int, person text, category text, channel text, hashes text[]
)
"""


def look(questions: Sequence[Question], *, using: str) -> Mapping[Hashable, Refusal]:
    """What speaks against each of them now, in one statement."""
    asked = json.dumps([{**vars(each), "number": n} for n, each in enumerate(questions)])
    with connections[using].cursor() as cursor:
        cursor.execute(_LOOK, [Suppression.Reason.values, asked])
        return {
            questions[number]: Refusal(suppressed or "", wanted)
            for number, suppressed, wanted in cursor.fetchall()
        }


refusals: GroupCommit[Question, Refusal] = GroupCommit(look, key=lambda question: question)
"""Asked as what is written is: the questions of many threads at one moment are one statement."""
