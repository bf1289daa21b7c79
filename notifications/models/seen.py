"""Seen: what is taken once only: a provider's signed call, a word that somebody sent us."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID

from django.db import connections, models
from django.utils.translation import gettext_lazy as _

_TAKE = """
INSERT INTO notifications_seen (id, kept_until)
VALUES (%(id)s, statement_timestamp() + %(keep)s)
ON CONFLICT (id) DO NOTHING
"""


class SeenQuerySet(models.QuerySet["Seen"]):
    def first_time(self, seen_id: UUID, *, keep: timedelta) -> bool:
        """Whether it has not been seen; from now on it has, for as long as `keep`.

        Part of the caller's transaction. Race: of two at once, the second waits until the first
        has committed, and is told that it is the second, or that it is the first after all.
        """
        self._for_write = True
        values: dict[str, Any] = {"id": seen_id, "keep": keep}
        with connections[self.db].cursor() as cursor:
            cursor.execute(_TAKE, values)
            return bool(cursor.rowcount)


class Seen(models.Model):
    """Only an id made from it is kept: nothing of what was said, or by whom."""

    id = models.UUIDField(primary_key=True, editable=False)
    kept_until = models.DateTimeField(db_index=True)

    objects = SeenQuerySet.as_manager()

    class Meta:
        verbose_name = _("seen")
        verbose_name_plural = _("seen")

    def __str__(self) -> str:
        return str(self.id)
