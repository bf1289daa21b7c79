"""RateLimit: what one provider account may be sent, over all workers on all hosts."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.db import connections, models
from django.db.models import F
from django.db.models.functions import Least, Now
from django.utils.translation import gettext_lazy as _

_LONGEST_RESERVED = 2.0
"""Seconds that anybody reserves ahead. What an operator sets forgets what an old, slow limit put
off."""

_LONGEST_OWED = 60.0
"""Seconds, and an interval, that a deployment which declares less has to wait at most."""

# The generic cell rate algorithm in its virtual scheduling form (ITU-T I.371, annex A): a unit's
# theoretical arrival time is one interval T = 1 / rate after the last one's, and it may come up
# to (burst - 1) T before it. Times are seconds from `now`, on the database's clock.
#
# Many workers ask at once: the row lock of `row` makes them wait for each other, and who waited
# reads what the one before has left. A statement's `now` is from before that wait, so `asked`
# says how long ago it was when the answer leaves.
#
# What is reserved ahead are units: under another declared rate they take another time. Forgotten
# instead, a send of many units would cost nothing while two deployments declare in turn.
_GRANT = """
WITH row AS MATERIALIZED (
    SELECT
        account, declared AS was_declared, statement_timestamp() AS now,
        COALESCE(override, %(declared)s::float8) AS rate,
        GREATEST(COALESCE(burst, 1), 1) AS burst,
        CASE WHEN override IS NULL THEN declared / %(declared)s::float8 END AS slower,
        GREATEST(extract(epoch FROM next_at - statement_timestamp()), 0)::float8 AS ahead
    FROM notifications_ratelimit
    WHERE account = %(account)s
    FOR UPDATE
), paced AS (
    SELECT row.*, 1 / NULLIF(rate, 'Infinity') AS t FROM row
), due AS (
    SELECT paced.*,
        LEAST(ahead * COALESCE(slower, 1), GREATEST(ahead, %(longest)s::float8 + t)) AS base
    FROM paced
), wished AS (
    SELECT due.*, LEAST(
        %(most)s, GREATEST(0, floor((%(horizon)s::float8 - base) / t + burst))
    )::int AS within FROM due
), granted AS (
    SELECT wished.*,
        CASE WHEN %(whole)s AND within > 0 THEN %(most)s ELSE within END AS units
    FROM wished
), written AS (
    UPDATE notifications_ratelimit SET
        declared = %(declared)s,
        next_at = granted.now + make_interval(secs => base + COALESCE(units * t, 0)),
        granted = notifications_ratelimit.granted + units
    FROM granted
    WHERE notifications_ratelimit.account = granted.account
      AND (units > 0 OR was_declared IS DISTINCT FROM %(declared)s)
)
SELECT rate, burst, base, units,
    extract(epoch FROM clock_timestamp() - now)::float8 AS asked
FROM granted
"""

_MEET = """
INSERT INTO notifications_ratelimit (account, declared, granted, reason, changed_by)
VALUES (%(account)s, %(declared)s, 0, '', '')
ON CONFLICT (account) DO NOTHING
"""

_OVERRIDE = """
INSERT INTO notifications_ratelimit AS known (
    account, override, burst, granted, changed_at, changed_by, reason
) VALUES (%(account)s, %(rate)s, %(burst)s, 0, statement_timestamp(), %(by)s, %(reason)s)
ON CONFLICT (account) DO UPDATE SET
    override = EXCLUDED.override, burst = EXCLUDED.burst, changed_at = EXCLUDED.changed_at,
    changed_by = EXCLUDED.changed_by, reason = EXCLUDED.reason,
    next_at = LEAST(known.next_at, statement_timestamp() + %(longest)s * interval '1 second')
"""


@dataclass(frozen=True)
class Grant:
    """Units that may be sent, and when.

    starts: seconds from now of each, ascending; below 0 for one whose time has just come.
    wait: seconds after which asking again is worth it, where fewer were granted than wished.
    rate: units a second, the limit as it stands.
    """

    starts: tuple[float, ...]
    wait: float
    rate: float


class RateLimitQuerySet(models.QuerySet["RateLimit"]):
    """The verbs. Each is one statement on the database's clock, safe from any number of workers."""

    def grant(
        self,
        account: str,
        declared: float | None,
        *,
        most: int,
        horizon: float,
        whole: bool = False,
    ) -> Grant | None:
        """Up to `most` units of the account's limit that start within `horizon` seconds.

        declared: units a second, as the task says; the row's override goes over it.
        whole: all of them or none, as the first one decides; the others may start later.
        Returns None when nothing limits the account.
        """
        wish: dict[str, Any] = {
            "account": account,
            "declared": declared,
            "most": most,
            "horizon": horizon,
            "whole": whole,
            "longest": _LONGEST_OWED,
        }
        row = self._one(_GRANT, wish)
        if row is None and declared is not None:
            self._run(_MEET, wish)
            row = self._one(_GRANT, wish)
        if row is None or row[0] in (None, math.inf):
            return None
        rate, burst, base, units, asked = row
        due = [base + (unit - burst + 1) / rate for unit in range(units + 1)]
        starts = tuple(max(start, 0.0) - asked for start in due[:units])
        return Grant(starts, max(due[units] - horizon - asked, 0.0), rate)

    def override_of(self, account: str) -> float | None:
        """Units a second that go over what the task declares; math.inf is no limit."""
        row = self.filter(account=account).values_list("override", flat=True)
        return row.first()

    def set_override(
        self, account: str, per_second: float, *, by: str, reason: str, burst: int | None = None
    ) -> None:
        """From the next grant on, this many units a second, whatever the task declares.

        math.inf lifts the limit. Raises ValueError for what is no rate.
        """
        if not per_second > 0:
            raise ValueError("A limit is more than 0 a second: to stop a channel, pause it.")
        if burst is not None and burst < 1:
            raise ValueError("A burst is 1 or more units at once.")
        self._run(
            _OVERRIDE,
            {
                "account": account,
                "rate": per_second,
                "burst": burst,
                "by": by,
                "reason": reason,
                "longest": _LONGEST_RESERVED + 1 / per_second,
            },
        )

    def take_back(self, account: str, *, by: str, reason: str) -> bool:
        """What the task declares holds again. False when nothing was set."""
        overridden = self.filter(account=account).exclude(override=None, burst=None)
        return bool(
            overridden.update(
                override=None,
                burst=None,
                changed_at=Now(),
                changed_by=by,
                reason=reason,
                next_at=Least(F("next_at"), Now() + timedelta(seconds=_LONGEST_RESERVED)),
            )
        )

    def _one(self, statement: str, parameters: dict[str, Any]) -> tuple[Any, ...] | None:
        self._for_write = True
        with connections[self.db].cursor() as cursor:
            cursor.execute(statement, parameters)
            row: tuple[Any, ...] | None = cursor.fetchone()
        return row

    def _run(self, statement: str, parameters: dict[str, Any]) -> None:
        self._for_write = True
        with connections[self.db].cursor() as cursor:
            cursor.execute(statement, parameters)


class RateLimit(models.Model):
    """One account's GCRA state, on the database's clock, and its limit.

    `declared` is what the task says (`rate_limit="5/s"`); an operator's `override` goes
    over it until it is taken back.
    """

    account = models.CharField(primary_key=True, max_length=80)
    declared = models.FloatField(null=True, help_text=_("Units a second, as the task declares it."))
    override = models.FloatField(null=True, blank=True, help_text=_("Units a second, instead."))
    burst = models.PositiveIntegerField(
        null=True, blank=True, help_text=_("Units at once after a rest; empty: one.")
    )
    next_at = models.DateTimeField(
        db_default=Now(), help_text=_("When the next unit is due: GCRA's theoretical arrival time.")
    )
    granted = models.BigIntegerField(default=0, help_text=_("Units granted in all."))
    changed_at = models.DateTimeField(null=True, blank=True)
    changed_by = models.CharField(max_length=150, blank=True)
    reason = models.CharField(max_length=255, blank=True)

    objects = RateLimitQuerySet.as_manager()

    class Meta:
        verbose_name = _("rate limit")
        verbose_name_plural = _("rate limits")

    def __str__(self) -> str:
        return self.account

    @property
    def effective(self) -> float | None:
        """Units a second that hold now; None is no limit."""
        rate = self.declared if self.override is None else self.override
        return None if rate == math.inf else rate
