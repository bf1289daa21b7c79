"""Preference: what one person wants to hear over one channel, as they said last."""

from __future__ import annotations

from typing import Any

from django.db import connections, models
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

# Of two that say the same at once the second waits for the first's commit, finds nothing to
# change, and leaves no second row in the history.
_SAY = """
WITH changed AS (
    INSERT INTO notifications_preference AS preference (person, category, channel, wanted, since)
    VALUES (%(person)s, %(category)s, %(channel)s, %(wanted)s, statement_timestamp())
    ON CONFLICT (person, category, channel) DO UPDATE SET
        wanted = EXCLUDED.wanted, since = EXCLUDED.since
    WHERE preference.wanted <> EXCLUDED.wanted
    RETURNING person, category, channel, wanted, since
)
INSERT INTO notifications_consent (
    person, category, channel, wanted, source, "by", proof, reason, at
)
SELECT person, category, channel, wanted, %(source)s, %(by)s, %(proof)s, %(reason)s, since
FROM changed
"""


class PreferenceQuerySet(models.QuerySet["Preference"]):
    def say(
        self,
        *,
        person: str,
        category: str,
        channel: str,
        wanted: bool,
        source: str,
        by: str = "",
        proof: str = "",
        reason: str = "",
    ) -> bool:
        """What the person wants from now on, with its Consent. False when they had said so."""
        self._for_write = True
        values: dict[str, Any] = {
            "person": person,
            "category": category,
            "channel": channel,
            "wanted": wanted,
            "source": source,
            "by": by,
            "proof": proof,
            "reason": reason,
        }
        with connections[self.db].cursor() as cursor:
            cursor.execute(_SAY, values)
            return bool(cursor.rowcount)


class Preference(models.Model):
    """Who never said anything has no row: then the category's own rule holds."""

    id = models.BigAutoField(primary_key=True)
    person = models.CharField(max_length=255, help_text=_('The stable reference ("customer/42").'))
    category = models.CharField(max_length=40)
    channel = models.CharField(max_length=40)
    wanted = models.BooleanField()
    since = models.DateTimeField(db_default=Now())

    objects = PreferenceQuerySet.as_manager()

    class Meta:
        verbose_name = _("preference")
        verbose_name_plural = _("preferences")
        constraints = [
            models.UniqueConstraint(
                fields=["person", "category", "channel"], name="preference_once"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.person}: {'' if self.wanted else 'no '}{self.category} by {self.channel}"
