"""Breaker: whether one provider account is left alone, as every worker sees it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.db import connections, models
from django.db.models import Q
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

FAILURES = 5
"""Transient ones in a row that open a breaker. A provider that fails one send in ten by itself
gets there once in 100,000; one that is down, at the first handful of messages."""

FIRST_BACK_OFF, LONGEST_BACK_OFF = 5.0, 300.0
"""Seconds from an opening to its probe, doubled at each failed one, and the half of it random.
Five are long beside a hiccup and short beside a customer's patience; after an outage of hours,
five minutes are what its end goes unnoticed at most, at a dozen wasted sends an hour."""

_MAX_ERROR = 255

# The row that a statement finds is the latest: whoever comes second waits, then weighs the
# conditions anew. So of many failures that arrive at once one opens the breaker, and those
# sent before it opened find it open and change nothing. `probed` is a failure of a send that
# began when a probe was due, and while one was out: one for each lease, for it ends the lease.
# A Retry-After that comes late puts an open breaker's probe off, by a second at least, so
# that a burst of them writes once.
_FAILED = """
INSERT INTO notifications_breaker AS breaker (
    account, state, failures, openings, opened_at, probe_at, last_error, updated_at
) VALUES (
    %(account)s, CASE WHEN %(at_once)s THEN 'open' ELSE 'closed' END, 1,
    %(at_once)s::int,
    CASE WHEN %(at_once)s THEN statement_timestamp() END,
    CASE WHEN %(at_once)s THEN statement_timestamp() + {first_wait} END,
    %(error)s, statement_timestamp()
)
ON CONFLICT (account) DO UPDATE SET
    state = CASE WHEN {opens} THEN 'open' ELSE 'closed' END,
    failures = breaker.failures + 1,
    openings = breaker.openings + ({opens} AND (breaker.state = 'closed' OR {probed}))::int,
    opened_at = CASE
        WHEN breaker.state = 'open' THEN breaker.opened_at
        WHEN {opens} THEN statement_timestamp()
    END,
    probe_at = CASE WHEN {opens} THEN statement_timestamp() + {wait} END,
    probe_until = CASE WHEN NOT {probed} THEN breaker.probe_until END,
    last_error = EXCLUDED.last_error,
    updated_at = EXCLUDED.updated_at
WHERE breaker.state = 'closed'
   OR {probed}
   OR statement_timestamp() + make_interval(secs => %(retry_after)s)
      > breaker.probe_at + interval '1 second'
RETURNING state, extract(epoch FROM probe_at - statement_timestamp())
"""
_WAIT = """make_interval(secs => COALESCE(
    %(retry_after)s::float8,
    least(%(first)s * 2 ^ least({openings}, 30), %(longest)s) * (1 + random()) / 2
))"""
_FAILED = _FAILED.format(
    first_wait=_WAIT.format(openings="0"),
    wait=_WAIT.format(openings="breaker.openings"),
    opens="(%(at_once)s OR breaker.state = 'open' OR breaker.failures + 1 >= %(most)s)",
    probed="(breaker.state = 'open' AND breaker.probe_until IS NOT NULL"
    " AND statement_timestamp() - %(took)s >= breaker.probe_at)",
)

# Of a send that began before the breaker opened, a success is old news: closing on it would
# let every worker at a provider that has failed since.
_SUCCEEDED = """
WITH before AS MATERIALIZED (
    SELECT account, state FROM notifications_breaker
    WHERE account = %(account)s AND failures > 0
      AND (state = 'closed' OR statement_timestamp() - %(took)s >= opened_at)
    FOR UPDATE
)
UPDATE notifications_breaker breaker
SET state = 'closed', failures = 0, openings = 0, opened_at = NULL, probe_at = NULL,
    probe_until = NULL, updated_at = statement_timestamp()
FROM before WHERE breaker.account = before.account
RETURNING before.state = 'open'
"""


class BreakerQuerySet(models.QuerySet["Breaker"]):
    """The verbs. Each is one statement on the database's clock, safe from any number of workers.

    took: seconds from the provider's being asked until now; tells a send from before an opening.
    """

    def failed(
        self,
        account: str,
        error: str,
        *,
        at_once: bool = False,
        retry_after: float | None = None,
        took: float = 0.0,
    ) -> float | None:
        """A send failed for now: count it, and open at FAILURES in a row, or `at_once`.

        retry_after: seconds, instead of our own back-off. Returns the seconds for which this
        very failure has the account left alone; None when it does not change that.
        """
        row = self._one(
            _FAILED,
            account=account,
            error=error[:_MAX_ERROR],
            at_once=at_once,
            retry_after=retry_after,
            took=timedelta(seconds=took),
            most=FAILURES,
            first=FIRST_BACK_OFF,
            longest=LONGEST_BACK_OFF,
        )
        return float(row[1]) if row and row[0] == Breaker.State.OPEN else None

    def succeeded(self, account: str, *, took: float = 0.0) -> bool:
        """A send went through: forget what failed, and close. Whether it was open till now."""
        row = self._one(_SUCCEEDED, account=account, took=timedelta(seconds=took))
        return bool(row and row[0])

    def try_probe(self, account: str, lease: timedelta) -> bool:
        """Whether the caller may try one message now, alone in the cluster for `lease`.

        The lease ends with `failed`, `succeeded` or `release_probe`, or by itself when the
        worker died.
        """
        return bool(self._nobodys_probe(account).update(probe_until=Now() + lease))

    def may_probe(self, account: str) -> bool:
        """Whether `try_probe` would succeed now; takes nothing."""
        return self._nobodys_probe(account).exists()

    def release_probe(self, account: str) -> bool:
        """The probe asked no provider (no message, a duplicate): another may try at once."""
        probed = self.filter(account=account, state=Breaker.State.OPEN)
        return bool(probed.exclude(probe_until=None).update(probe_until=None))

    def probe_now(self, account: str) -> bool:
        """Let one message try before the back-off ends. Whether there was one to wait for."""
        waiting = self.filter(account=account, state=Breaker.State.OPEN, probe_at__gt=Now())
        return bool(waiting.update(probe_at=Now(), updated_at=Now()))

    def in_trouble(self) -> models.QuerySet[Breaker]:
        """Those that are open or count failures."""
        return self.filter(failures__gt=0)

    def _nobodys_probe(self, account: str) -> models.QuerySet[Breaker]:
        due = self.filter(account=account, state=Breaker.State.OPEN, probe_at__lte=Now())
        return due.filter(Q(probe_until=None) | Q(probe_until__lte=Now()))

    def _one(self, statement: str, **parameters: Any) -> tuple[Any, ...] | None:
        self._for_write = True
        with connections[self.db].cursor() as cursor:
            cursor.execute(statement, parameters)
            row: tuple[Any, ...] | None = cursor.fetchone()
        return row


class Breaker(models.Model):
    """One account. An account without a row has never failed."""

    class State(models.TextChoices):
        CLOSED = "closed", _("closed: in use")
        OPEN = "open", _("open: left alone")

    account = models.CharField(primary_key=True, max_length=80)
    state = models.CharField(max_length=8, choices=State.choices, default=State.CLOSED)
    failures = models.PositiveIntegerField(default=0, help_text=_("Transient ones in a row."))
    openings = models.PositiveIntegerField(
        default=0,
        help_text=_("Times it opened without a success between: the back-off grows on it."),
    )
    opened_at = models.DateTimeField(null=True, blank=True)
    probe_at = models.DateTimeField(null=True, blank=True, help_text=_("When one message may try."))
    probe_until = models.DateTimeField(
        null=True, blank=True, help_text=_("Until when the probe is one worker's alone.")
    )
    last_error = models.CharField(max_length=255, blank=True)
    updated_at = models.DateTimeField(db_default=Now())

    objects = BreakerQuerySet.as_manager()

    class Meta:
        verbose_name = _("breaker")
        verbose_name_plural = _("breakers")

    def __str__(self) -> str:
        return f"{self.account}: {self.state}"
