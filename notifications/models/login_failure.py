"""LoginFailure: wrong passwords of late, by whom and from where, as a bucket that empties."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.db import connections, models
from django.db.models import F
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

# GCRA: `until` is when the bucket will be empty; a bucket that is full takes no more.
_TAKE = """
INSERT INTO notifications_loginfailure AS bucket (key, until)
VALUES (%(key)s, statement_timestamp() + %(each)s)
ON CONFLICT (key) DO UPDATE SET until = greatest(bucket.until, statement_timestamp()) + %(each)s
WHERE greatest(bucket.until, statement_timestamp()) + %(each)s
    <= statement_timestamp() + %(most)s * %(each)s
RETURNING true
"""
_WAIT = """
SELECT extract(epoch FROM until + %(each)s - statement_timestamp() - %(most)s * %(each)s)
FROM notifications_loginfailure WHERE key = %(key)s
"""


@dataclass(frozen=True)
class Bucket:
    """most: how many fit. each: after how long one is forgotten."""

    key: str
    most: int
    each: timedelta


class LoginFailureQuerySet(models.QuerySet["LoginFailure"]):
    def take(self, bucket: Bucket) -> float:
        """Room for one more, or the seconds until there is."""
        values: dict[str, Any] = {"key": bucket.key, "most": bucket.most, "each": bucket.each}
        with connections[self.db].cursor() as cursor:
            cursor.execute(_TAKE, values)
            if cursor.fetchone():
                return 0.0
            cursor.execute(_WAIT, values)
            found = cursor.fetchone()
        return max(float(found[0]), 1.0) if found else 1.0

    def give_back(self, bucket: Bucket) -> None:
        """It was no failure."""
        self.filter(key=bucket.key).update(until=F("until") - bucket.each)

    def forget(self, bucket: Bucket) -> None:
        self.filter(key=bucket.key).delete()

    def forget_old(self) -> int:
        """Delete the empty ones. How many."""
        return self.filter(until__lt=Now()).delete()[0]


class LoginFailure(models.Model):
    """One bucket. Its key is a hash: neither a name nor an address stands here."""

    key = models.CharField(max_length=80, primary_key=True)
    until = models.DateTimeField()

    objects = LoginFailureQuerySet.as_manager()

    class Meta:
        verbose_name = _("login failure")
        verbose_name_plural = _("login failures")
        default_permissions = ()
        indexes = [models.Index(fields=["until"], name="login_failure_by_time")]

    def __str__(self) -> str:
        return f"{self.key[:12]}… until {self.until:%H:%M}"
