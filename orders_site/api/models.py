"""The clients of the order API, what they have used of their rate, and the answers they were given.

An order names its client by its name, not by a foreign key: the shop's domain knows of no API, and
a foreign key would have every order lock its client's row.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from uuid import UUID

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import connections, models
from django.db.models import F, Q
from django.db.models.functions import Now
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

MAX_NAME = 40
MAX_RATE = 1_000_000
DEFAULT_RATE = 600
"""Requests a minute."""
KEPT_FOR = timedelta(hours=24)
"""How long an answer is kept for its key: as long as Stripe, Knock and Novu keep theirs."""
MAX_KEY = 255
_KEPT_FOR = f"{KEPT_FOR.total_seconds():.0f} seconds"

# The token bucket, filled on the database's clock: it holds `burst`, gains `rate` a second, and
# gives what was asked for or what is there. One statement; its row lock makes processes take turns.
_TAKE = """
    INSERT INTO api_allowance AS had (client, left_over, filled_at, granted)
    VALUES (
        %(client)s, %(burst)s::float8 - least(%(most)s, floor(%(burst)s::float8)),
        clock_timestamp(), least(%(most)s, floor(%(burst)s::float8))::int
    )
    ON CONFLICT (client) DO UPDATE SET (left_over, filled_at, granted) = (
        SELECT filled - least(%(most)s, floor(filled)), now, least(%(most)s, floor(filled))::int
        FROM (
            SELECT clock_timestamp() AS now,
                least(
                    %(burst)s::float8,
                    had.left_over + %(rate)s::float8
                        * greatest(0, extract(epoch FROM clock_timestamp() - had.filled_at))
                ) AS filled
        ) AS bucket
    )
    RETURNING granted, left_over
"""

# One statement, so that whoever finds neither an answer nor the lock knows that it is being made.
_FIND = """
    SELECT
        pg_try_advisory_xact_lock(%s),
        kept.id, kept.fingerprint, kept.status, kept.body, kept.location
    FROM (SELECT) AS asked
    LEFT JOIN api_keptanswer kept
        ON kept.id = %s AND kept.created_at > statement_timestamp() - %s::interval
"""

# Only in the place of one that is too old to be found.
_KEEP = """
    INSERT INTO api_keptanswer AS old
        (id, client, key, fingerprint, status, body, location, created_at)
    VALUES (
        %(id)s, %(client)s, %(key)s, %(fingerprint)s, %(status)s, %(body)s, %(location)s,
        statement_timestamp()
    )
    ON CONFLICT (id) DO UPDATE SET
        fingerprint = EXCLUDED.fingerprint, status = EXCLUDED.status, body = EXCLUDED.body,
        location = EXCLUDED.location, created_at = EXCLUDED.created_at
    WHERE old.created_at <= statement_timestamp() - %(kept_for)s::interval
"""

_FORGET = """
    DELETE FROM api_keptanswer WHERE id IN (
        SELECT id FROM api_keptanswer
        WHERE created_at <= statement_timestamp() - %(kept_for)s::interval
        ORDER BY created_at LIMIT %(most)s FOR UPDATE SKIP LOCKED
    )
"""


class ApiClientQuerySet(models.QuerySet["ApiClient"]):
    """The changes of a client. Each is one statement, from legal states only."""

    def known_by(self, token_hash: str) -> ApiClient | None:
        """By its token, or by the one before while that is good. Clients are few: no index."""
        old = Q(old_token_hash=token_hash, old_token_until__gt=Now())
        return self.filter(old | Q(token_hash=token_hash), revoked_at=None).first()

    def revoke(self, name: str, *, by: str, reason: str) -> bool:
        """For good: its name stays taken, for its orders bear it."""
        return bool(
            self.filter(name=name, revoked_at=None).update(
                revoked_at=Now(), revoked_by=by, revoke_reason=reason
            )
        )

    def allow_announcing(self, name: str, allowed: bool, *, by: str, reason: str) -> bool:
        """False when there is no such client, or it is so already."""
        return bool(
            self.filter(name=name, revoked_at=None, may_announce=not allowed).update(
                may_announce=allowed, announcing_by=by, announcing_reason=reason
            )
        )

    def replace_token(self, name: str, token_hash: str, *, overlap: timedelta) -> bool:
        """The token until now is good for the overlap; one before that, no more."""
        return bool(
            self.filter(name=name, revoked_at=None).update(
                old_token_hash=F("token_hash"),
                old_token_until=Now() + overlap,
                token_hash=token_hash,
            )
        )

    def end_old_token(self, name: str) -> bool:
        """False when there is no such client, or its old token is over."""
        good = self.filter(name=name, revoked_at=None, old_token_until__gt=Now())
        return bool(good.update(old_token_until=Now()))


class ApiClient(models.Model):
    """A system that orders for customers: a web shop, a till, a marketplace."""

    name = models.SlugField(
        max_length=MAX_NAME, unique=True, help_text=_("Its orders bear it, so it never changes.")
    )
    token_hash = models.CharField(max_length=64, unique=True, editable=False)
    old_token_hash = models.CharField(max_length=64, null=True, editable=False)
    old_token_until = models.DateTimeField(
        null=True, editable=False, help_text=_("Until when its token before that is good, too.")
    )
    rate_per_minute = models.PositiveIntegerField(
        default=DEFAULT_RATE,
        validators=[MinValueValidator(1), MaxValueValidator(MAX_RATE)],
        help_text=_("Requests a minute, over all web processes; up to ten seconds' worth at once."),
    )
    may_announce = models.BooleanField(
        db_default=False,
        default=False,
        help_text=_("Whether it may send an event to a whole audience."),
    )
    announcing_by = models.CharField(
        db_default="", max_length=150, blank=True, editable=False, help_text=_("Who said so last.")
    )
    announcing_reason = models.CharField(db_default="", max_length=255, blank=True, editable=False)
    created_at = models.DateTimeField(db_default=Now(), editable=False)
    created_by = models.CharField(max_length=150, blank=True, editable=False)
    revoked_at = models.DateTimeField(null=True, blank=True, editable=False)
    revoked_by = models.CharField(max_length=150, blank=True, editable=False)
    revoke_reason = models.CharField(max_length=255, blank=True, editable=False)

    objects = ApiClientQuerySet.as_manager()

    class Meta:
        verbose_name = _("API client")
        verbose_name_plural = _("API clients")
        constraints = [
            models.CheckConstraint(
                condition=models.Q(rate_per_minute__gte=1, rate_per_minute__lte=MAX_RATE),
                name="api_client_rate_bounded",
            )
        ]
        permissions = [
            ("revoke_apiclient", "Can revoke API clients"),
            ("allow_announcing", "Can let API clients announce"),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def active(self) -> bool:
        return self.revoked_at is None

    @property
    def both_until(self) -> datetime | None:
        """Until when its old token is good beside the new one; None: it is not."""
        until = self.old_token_until
        return until if self.active and until and until > timezone.now() else None


class AllowanceQuerySet(models.QuerySet["Allowance"]):
    def take(self, client: str, *, most: int, rate: float, burst: float) -> tuple[int, float]:
        """Up to `most` requests of the client's rate (a second) and burst.

        Returns how many, and what is left over: a share of one request where none was given.
        """
        with connections[self.db].cursor() as cursor:
            cursor.execute(_TAKE, {"client": client, "most": most, "rate": rate, "burst": burst})
            granted, left_over = cursor.fetchone()
        return granted, left_over


class Allowance(models.Model):
    """What a client may still ask for now. Unlogged: a commit here waits for no disk, and a crash
    of PostgreSQL fills every bucket."""

    client = models.CharField(max_length=MAX_NAME, primary_key=True)
    left_over = models.FloatField()
    filled_at = models.DateTimeField()
    granted = models.IntegerField(help_text=_("By the last statement."))

    objects = AllowanceQuerySet.as_manager()

    class Meta:
        verbose_name = _("allowance")
        verbose_name_plural = _("allowances")

    def __str__(self) -> str:
        return f"{self.client}: {self.left_over:.1f} left"


class KeptAnswerQuerySet(models.QuerySet["KeptAnswer"]):
    def find(self, id: UUID, *, lock: int) -> tuple[bool, KeptAnswer | None]:
        """Whether the lock of this key is ours until the transaction ends, and the kept answer."""
        with connections[self.db].cursor() as cursor:
            cursor.execute(_FIND, [lock, id, _KEPT_FOR])
            locked, *columns = cursor.fetchone()
        if columns[0] is None:
            return locked, None
        names = ("id", "fingerprint", "status", "body", "location")
        return locked, KeptAnswer(**dict(zip(names, columns, strict=True)))

    def keep(self, answer: KeptAnswer) -> bool:
        """False when somebody else's has been kept since this transaction looked for one."""
        with connections[self.db].cursor() as cursor:
            cursor.execute(
                _KEEP,
                {
                    "id": answer.id,
                    "client": answer.client,
                    "key": answer.key,
                    "fingerprint": bytes(answer.fingerprint),
                    "status": answer.status,
                    "body": answer.body,
                    "location": answer.location,
                    "kept_for": _KEPT_FOR,
                },
            )
            return bool(cursor.rowcount)

    def forget_old(self, *, go_on: Callable[[], bool] = lambda: True, step: int = 1000) -> int:
        """Delete what has been kept for its time, `step` rows in a transaction. How many."""
        forgotten: int = 0
        while True:
            with connections[self.db].cursor() as cursor:
                cursor.execute(_FORGET, {"kept_for": _KEPT_FOR, "most": step})
                found = int(cursor.rowcount)
                forgotten += found
                if found < step or not go_on():
                    return forgotten


class KeptAnswer(models.Model):
    """What a request with an Idempotency-Key was answered: kept with what it did, or not at all."""

    id = models.UUIDField(
        primary_key=True, editable=False, help_text=_("Of client and key: see `idempotency.Slot`.")
    )
    client = models.CharField(max_length=MAX_NAME)
    key = models.CharField(max_length=MAX_KEY)
    fingerprint = models.BinaryField(max_length=32, help_text=_("SHA-256 of what was asked."))
    status = models.PositiveSmallIntegerField()
    body = models.TextField()
    location = models.CharField(max_length=255, blank=True)
    created_at = models.DateTimeField(db_default=Now())

    objects = KeptAnswerQuerySet.as_manager()

    class Meta:
        verbose_name = _("kept answer")
        verbose_name_plural = _("kept answers")
        indexes = [models.Index(fields=["created_at"], name="kept_answer_by_age")]

    def __str__(self) -> str:
        return f"{self.client}: {self.key}"
