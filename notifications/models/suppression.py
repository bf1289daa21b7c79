"""Suppression: an address that nothing is sent to over a channel. Its history is kept."""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from django.db import connections, models
from django.db.models import Case, Value, When
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from notifications.models.delivery import Delivery

MOST_TEXT, MOST_NAME, MOST_HINT = 255, 150, 100
"""Characters of a note or reason, of who did it, and of a masked address."""

# In the order of the unique key, or two imports at once would wait for each other. `hashes` is
# the address under every key there is: one that an older key has hashed is there already.
_ASKED = """
WITH asked AS (
    SELECT * FROM json_to_recordset(%s) AS asked (
        channel text, address_hash text, hashes text[], hint text, reason text, note text,
        "by" text, delivery uuid
    )
    LIMIT %s -- tells the planner how many there are
), missing AS (
    SELECT DISTINCT ON (channel, address_hash, reason) * FROM asked
    WHERE ( -- no EXISTS: of that a join would be made, as if the table had the rows of yesterday
        SELECT there.id FROM notifications_suppression AS there
        WHERE there.channel = asked.channel
          AND there.address_hash = ANY (asked.hashes)
          AND there.reason = asked.reason
          AND there.removed_at IS NULL
        LIMIT 1
    ) IS NULL
    ORDER BY channel, address_hash, reason
)
"""
_ADD = """
{asked}
INSERT INTO notifications_suppression (
    channel, address_hash, hint, reason, note, "by", delivery_id, removed_by, removed_reason
)
SELECT channel, address_hash, hint, reason, note, "by", delivery, '', '' FROM missing
ORDER BY channel, address_hash, reason
ON CONFLICT (channel, address_hash, reason) WHERE removed_at IS NULL DO NOTHING
"""
_COUNT = "{asked} SELECT count(*) FROM missing"
_ADD, _COUNT = (statement.format(asked=_ASKED) for statement in (_ADD, _COUNT))


@dataclass(frozen=True)
class Refused:
    """One address to be suppressed. hashes: under every key; the first of them is kept."""

    channel: str
    hashes: Sequence[str] = field(repr=False)
    reason: str
    hint: str = ""
    note: str = ""
    by: str = ""
    delivery: UUID | str | None = None

    def as_row(self) -> dict[str, Any]:
        return {**vars(self), "hashes": list(self.hashes), "address_hash": self.hashes[0]}


class SuppressionQuerySet(models.QuerySet["Suppression"]):
    """The verbs. A second suppression of an address for the same reason does nothing."""

    def add(self, refused: Collection[Refused]) -> int:
        """Suppress them, in one statement; how many were not yet, for that reason."""
        with connections[self._writing()].cursor() as cursor:
            cursor.execute(_ADD, _asked(refused))
            return int(cursor.rowcount)

    def missing(self, refused: Collection[Refused]) -> int:
        """How many `add` would suppress now."""
        with connections[self._writing()].cursor() as cursor:
            cursor.execute(_COUNT, _asked(refused))
            return int(cursor.fetchone()[0])

    def in_force(self) -> SuppressionQuerySet:
        """Those that hold something back now."""
        return self.filter(removed_at=None)

    def of(self, channel: str, hashes: Collection[str]) -> SuppressionQuerySet:
        """Those in force of one address, the weightiest reason first."""
        found = self.in_force().filter(channel=channel, address_hash__in=hashes)
        return found.order_by(weight(), "pk")

    def lift(self, *, by: str, reason: str) -> int:
        """These hold nothing back any more. How many did till now."""
        return self.in_force().update(removed_at=Now(), removed_by=by, removed_reason=reason)

    def _writing(self) -> str:
        self._for_write = True
        return self.db


class Suppression(models.Model):
    """In force until `removed_at`. The address is a keyed hash: it can be searched, not read.

    One address may be suppressed for several reasons, each on record by itself, so that a
    complaint is not lost behind a bounce; what is lifted is the address, with all of them.
    """

    class Reason(models.TextChoices):
        """The weightiest first: it is what is told where there are several."""

        COMPLAINT = "complaint", _("complaint: told the provider that it is spam")
        HARD_BOUNCE = "hard_bounce", _("hard bounce: the address does not exist")
        OPT_OUT_REPLY = "opt_out_reply", _("opt-out reply: answered STOP")
        OPERATOR = "operator", _("operator")
        IMPORTED = "imported", _("imported")

    id = models.BigAutoField(primary_key=True)
    channel = models.CharField(max_length=40)
    address_hash = models.CharField(max_length=80)
    hint = models.CharField(max_length=MOST_HINT, blank=True, help_text=_("The address, masked."))
    reason = models.CharField(max_length=16, choices=Reason.choices)
    note = models.CharField(max_length=MOST_TEXT, blank=True)
    by = models.CharField(
        max_length=MOST_NAME, blank=True, help_text=_("Who, where a person did it.")
    )
    delivery = models.ForeignKey(  # which may be deleted before: no constraint, no cascade
        Delivery,
        on_delete=models.DO_NOTHING,
        db_constraint=False,
        db_index=False,
        null=True,
        blank=True,
        related_name="+",
        help_text=_("What it was that bounced, was complained about or answered."),
    )
    created_at = models.DateTimeField(db_default=Now())
    removed_at = models.DateTimeField(null=True, blank=True)
    removed_by = models.CharField(max_length=MOST_NAME, blank=True)
    removed_reason = models.CharField(max_length=MOST_TEXT, blank=True)

    objects = SuppressionQuerySet.as_manager()

    class Meta:
        verbose_name = _("suppression")
        verbose_name_plural = _("suppressions")
        permissions = [
            ("lift_suppression", "Can let a suppressed address be sent to again"),
            ("lift_complaint", "Can let an address be sent to again whose owner complained"),
        ]
        constraints = [
            models.UniqueConstraint(  # what every send looks at
                fields=["channel", "address_hash", "reason"],
                condition=models.Q(removed_at=None),
                name="suppression_in_force_once",
            ),
        ]
        indexes = [
            models.Index(fields=["address_hash"], name="suppression_by_address_hash"),
            # None by reason: a planner without statistics would take that one for a look-up.
        ]

    def __str__(self) -> str:
        # Django's log keeps these words for ever: nothing of the address, not even masked.
        return f"{self.channel} {self.address_hash[:12]}: {self.reason}"


def weight() -> Case:
    """Orders by reason, the weightiest first."""
    ranked = enumerate(Suppression.Reason.values)
    return Case(*(When(reason=reason, then=Value(rank)) for rank, reason in ranked))


def _asked(refused: Collection[Refused]) -> list[Any]:
    return [json.dumps([each.as_row() for each in refused], default=str), len(refused)]
