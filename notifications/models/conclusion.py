"""Conclusion: how an attempt ended, and what that makes of its delivery."""

from __future__ import annotations

import json
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.db import connections

from notifications.group_commit import GroupCommit
from notifications.models.claim import Claim
from notifications.texts import keepable


@dataclass(frozen=True, kw_only=True)
class Conclusion:
    """What is written about both, in one statement, if the delivery is still the claim's.

    state, outcome: the delivery's new state and the attempt's outcome. retry_in: seconds until
    the next try; None: there is none ahead. request: what was asked (`notifications.asked`).
    detail: redacted; the delivery's last error too, when it is one. fingerprint: of the error.
    lapsed: said by somebody else, who found the lease at its end. content: what was told, packed
    and sealed (`notifications.rendered`); kept beside the delivery unless empty.
    """

    claim: Claim
    state: str
    outcome: str
    provider: str = ""
    retry_in: float | None = None
    reason: str = ""
    request: str = ""
    code: str = ""
    detail: str = ""
    fingerprint: str = ""
    provider_message_id: str = ""
    template_version: str | None = None
    duration_ms: int | None = None
    lapsed: bool = False
    content: str = ""

    @property
    def key(self) -> Hashable:
        """One row's: a statement cannot change it twice."""
        return self.claim.delivery_id

    def row(self) -> dict[str, Any]:
        """Column by column, as the statement reads it. Whatever a provider or the shop has put into
        a text, it must not cost the outcome: of what was sent nobody would know."""
        columns: dict[str, Any] = {
            name: keepable(value) if isinstance(value, str) else value
            for name, value in vars(self).items()
        }
        claim = columns.pop("claim")
        return {
            "delivery": claim.delivery_id,
            "token": claim.token,
            "generation": claim.generation,
            **columns,
        }


# A result settles what was taken for unknown too; everything else is accepted while sending.
# The delivery is locked before its attempt, as everybody does it. In company nobody's lock is
# waited for: a row that is not free is left out, and comes again alone. The limit is there for
# the planner, which would take any list for a hundred rows, and read whole tables for them.
_CONCLUDE = """
WITH concluded AS (
    SELECT * FROM json_to_recordset(%s) AS concluded (
        delivery uuid, token uuid, generation int, state text, outcome text, provider text,
        retry_in float8, reason text, request text, code text, detail text, fingerprint text,
        provider_message_id text, template_version text, duration_ms int, lapsed bool, content text
    )
    LIMIT %s
), held AS (
    SELECT delivery.id
    FROM notifications_delivery AS delivery JOIN concluded ON concluded.delivery = delivery.id
    WHERE delivery.token = concluded.token
      AND CASE delivery.state
          WHEN 'sending' THEN NOT concluded.lapsed
              OR delivery.lease_until <= statement_timestamp()
          WHEN 'unknown' THEN concluded.state IN ('sent', 'skipped', 'failed')
          ELSE FALSE
      END
    FOR NO KEY UPDATE OF delivery {wait}
), moved AS (
    UPDATE notifications_delivery AS delivery SET
        state = concluded.state,
        reason = concluded.reason,
        lease_until = NULL,
        next_try_at = statement_timestamp() + make_interval(secs => concluded.retry_in),
        last_error = CASE concluded.state
            WHEN 'sent' THEN ''
            WHEN 'skipped' THEN delivery.last_error
            ELSE concluded.detail
        END,
        fingerprint = CASE WHEN concluded.state IN ('failed', 'unknown')
            THEN concluded.fingerprint ELSE '' END,
        provider = CASE WHEN concluded.state IN ('sent', 'failed', 'unknown')
            THEN concluded.provider ELSE delivery.provider
        END,
        provider_message_id = CASE concluded.state
            WHEN 'sent' THEN concluded.provider_message_id ELSE delivery.provider_message_id
        END,
        template_version = COALESCE(concluded.template_version, delivery.template_version),
        sent_at = CASE concluded.state
            WHEN 'sent' THEN statement_timestamp() ELSE delivery.sent_at
        END,
        finished_at = CASE
            WHEN concluded.state IN ('sent', 'skipped', 'failed') THEN statement_timestamp()
        END,
        updated_at = statement_timestamp()
    FROM held JOIN concluded ON concluded.delivery = held.id
    WHERE delivery.id = held.id
    RETURNING concluded.*
), closed AS (
    UPDATE notifications_attempt AS attempt SET
        outcome = moved.outcome,
        provider = moved.provider,
        request = moved.request,
        code = moved.code,
        detail = moved.detail,
        provider_message_id = moved.provider_message_id,
        duration_ms = moved.duration_ms,
        finished_at = statement_timestamp()
    FROM moved
    WHERE attempt.delivery_id = moved.delivery
      AND attempt.token = moved.token
      AND attempt.outcome IN ('started', 'unknown')
), kept AS (
    INSERT INTO notifications_renderedcontent (delivery_id, generation, content)
    SELECT moved.delivery, moved.generation, moved.content FROM moved WHERE moved.content <> ''
    ON CONFLICT (delivery_id, generation) DO UPDATE SET
        content = EXCLUDED.content, created_at = statement_timestamp()
)
SELECT delivery FROM moved
"""
_ALONE = _CONCLUDE.format(wait="")
_IN_COMPANY = _CONCLUDE.format(wait="SKIP LOCKED")


def conclude(conclusions: Sequence[Conclusion], *, using: str) -> Mapping[Hashable, bool]:
    """Whether each delivery was still its claim's, and so was moved and its attempt closed."""
    alone = len(conclusions) == 1
    rows = json.dumps([conclusion.row() for conclusion in conclusions], default=str)
    with connections[using].cursor() as cursor:
        cursor.execute(_ALONE if alone else _IN_COMPANY, [rows, len(conclusions)])
        moved = {delivery for (delivery,) in cursor.fetchall()}
    if alone:
        return {conclusions[0].key: bool(moved)}
    return dict.fromkeys(moved, True)


conclusions: GroupCommit[Conclusion, bool] = GroupCommit(
    conclude, key=lambda conclusion: conclusion.key
)
