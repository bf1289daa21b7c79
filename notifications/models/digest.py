"""DigestWindow and DigestItem: what is collected for one recipient, to be told in one message.

A window's id is that of the event by which it is told (`notifications.digests`), so its delivery
is found by it. Each item is a delivery of its own, which waits for the digest's and follows it.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import connections, models
from django.db.models.functions import Coalesce, Now
from django.utils.translation import gettext_lazy as _

from notifications.identifiers import uuid7
from notifications.models.delivery import Delivery
from notifications.models.wait import DIGEST

IN_DIGEST, DIGEST_FAILED, LEFT_OUT = "in_digest", "digest_failed", "left_out"
"""The reasons on a delivery that was told in a digest, was not because that failed, or was left out
of it ("left_out: expired"). Its attempts and receipts are the digest's."""

# Whoever collects holds the window's row until they commit, and whoever closes it waits for them:
# what came first is in it, what comes then finds none that is open, and begins the next.
_COLLECT = """
INSERT INTO notifications_digestwindow AS digest (
    id, name, channel, route, recipient, due_at, items
) VALUES (%(id)s, %(name)s, %(channel)s, %(route)s, %(recipient)s, %(due_at)s, 1)
ON CONFLICT (recipient, name, channel, route) WHERE closed_at IS NULL
DO UPDATE SET items = digest.items + 1
RETURNING id, due_at, items, due_at <= statement_timestamp()
"""

_ADD = """
INSERT INTO notifications_digestitem (digest_id, delivery_id, generation, left_out)
VALUES (%s, %s, %s, '')
ON CONFLICT (delivery_id, generation) DO NOTHING
RETURNING id
"""

# By its reason it is known that an item still follows this digest: a claim, a re-opening or an
# erasure takes it away. Its `sent_at` stays empty: no provider took it, and it counts towards no
# recipient's limit.
_SETTLE = """
WITH ended AS (
    SELECT digest.id, told.state, told.reason, told.fingerprint,
        COALESCE(told.sent_at, told.finished_at) AS at
    FROM notifications_digestwindow AS digest
    JOIN notifications_delivery AS told ON told.event_id = digest.id
    WHERE digest.closed_at IS NOT NULL AND digest.settled_at IS NULL
      AND (%(only)s::uuid IS NULL OR digest.id = %(only)s::uuid)
      AND told.state = ANY(%(over)s)
    ORDER BY digest.closed_at
    LIMIT %(limit)s
    FOR UPDATE OF digest SKIP LOCKED
), settled AS (
    UPDATE notifications_digestwindow AS digest SET settled_at = statement_timestamp()
    FROM ended WHERE digest.id = ended.id
), followed AS (
    UPDATE notifications_delivery AS item SET
        state = CASE
            WHEN entry.left_out <> '' THEN 'skipped'
            WHEN ended.state IN ('failed', 'skipped', 'discarded') THEN ended.state
            ELSE 'sent' END,
        reason = CASE
            WHEN entry.left_out <> '' THEN left(%(left_out)s || ': ' || entry.left_out, 100)
            WHEN ended.state = 'skipped' THEN left(%(left_out)s || ': ' || ended.reason, 100)
            WHEN ended.state IN ('failed', 'discarded') THEN %(failed)s
            ELSE %(told)s END,
        fingerprint = CASE WHEN entry.left_out = '' AND ended.state = 'failed'
            THEN ended.fingerprint ELSE '' END,
        next_try_at = NULL,
        finished_at = ended.at,
        updated_at = statement_timestamp()
    FROM ended JOIN notifications_digestitem AS entry ON entry.digest_id = ended.id
    WHERE item.id = entry.delivery_id AND item.generation = entry.generation
      AND split_part(item.reason, ':', 1) = ANY(%(follows)s)
)
SELECT count(*) FROM ended
"""


class DigestWindowQuerySet(models.QuerySet["DigestWindow"]):
    """The verbs that move a window: collecting, closed, settled."""

    def collect(
        self, *, name: str, channel: str, route: str, recipient: str, due_at: datetime
    ) -> tuple[DigestWindow, bool]:
        """The window that collects for them now, with one item more; True: it is a new one.

        One that is due collects no more, though its message is still on the way: it may be long
        in coming (a queue that is paused, a breaker), or never come to be told. due_at: of a new
        one, ahead. Part of the caller's transaction, to whose end the window stays open.
        """
        self._for_write = True
        new = uuid7()
        values: dict[str, Any] = {
            "id": new,
            "name": name,
            "channel": channel,
            "route": route,
            "recipient": recipient,
            "due_at": due_at,
        }
        with connections[self.db].cursor() as cursor:
            cursor.execute(_COLLECT, values)
            found, due, items, is_due = cursor.fetchone()
            if is_due and found != new:
                self.filter(pk=found).stop_collecting()
                cursor.execute(_COLLECT, values)
                found, due, items, _ = cursor.fetchone()
        window = DigestWindow(**{**values, "id": found, "due_at": due}, items=items)
        return window, found == new

    def stop_collecting(self) -> int:
        """What is in these, less the one that found them due, is told; the rest goes elsewhere."""
        return self.update(closed_at=Now(), items=models.F("items") - 1)

    def close(self) -> int:
        """Nothing is collected in these any more; they are to be settled, once more if need be."""
        return self.update(closed_at=Coalesce("closed_at", Now()), settled_at=None)

    def settle(self, *, only: UUID | None = None, limit: int = 100) -> int:
        """Let the items of those whose own delivery has ended follow it. How many windows."""
        self._for_write = True
        values = {
            "only": only,
            "limit": limit,
            "over": [str(state) for state in Delivery.TERMINAL],
            "told": IN_DIGEST,
            "failed": DIGEST_FAILED,
            "left_out": LEFT_OUT,
            "follows": [DIGEST, IN_DIGEST, DIGEST_FAILED, LEFT_OUT],
        }
        with connections[self.db].cursor() as cursor:
            cursor.execute(_SETTLE, values)
            (settled,) = cursor.fetchone()
        return int(settled)


class DigestWindow(models.Model):
    """One digest for one recipient, from its first item on."""

    id = models.UUIDField(primary_key=True, editable=False, help_text=_("Of its event, too."))
    name = models.CharField(max_length=100, help_text=_("The digest's; its event's type."))
    channel = models.CharField(max_length=40)
    route = models.CharField(max_length=40)
    recipient = models.CharField(max_length=255)
    due_at = models.DateTimeField(help_text=_("When it is told."))
    items = models.PositiveIntegerField(default=0, help_text=_("That were collected."))
    opened_at = models.DateTimeField(db_default=Now(), editable=False)
    closed_at = models.DateTimeField(
        null=True, blank=True, help_text=_("Since when nothing more is collected in it.")
    )
    settled_at = models.DateTimeField(
        null=True, blank=True, help_text=_("When its items followed what became of it.")
    )

    objects = DigestWindowQuerySet.as_manager()

    class Meta:
        verbose_name = _("digest window")
        verbose_name_plural = _("digest windows")
        constraints = [
            models.UniqueConstraint(
                fields=["recipient", "name", "channel", "route"],
                condition=models.Q(closed_at=None),
                name="digest_collecting_once",
            ),
        ]
        indexes = [
            models.Index(
                fields=["closed_at"],
                condition=models.Q(settled_at=None),
                name="digest_to_settle",
            ),
            models.Index(fields=["settled_at"], name="digest_by_settled_at"),
        ]

    def __str__(self) -> str:
        return f"{self.name} for {self.recipient}"


class DigestItemQuerySet(models.QuerySet["DigestItem"]):
    def add(self, window: DigestWindow, delivery_id: UUID, generation: int) -> bool:
        """False when this generation of the delivery is in a digest already."""
        self._for_write = True
        with connections[self.db].cursor() as cursor:
            cursor.execute(_ADD, [window.pk, delivery_id, generation])
            return cursor.fetchone() is not None

    def of(self, window_id: UUID) -> list[DigestItem]:
        """What is told in it, in the order in which it happened.

        Not what has been told by itself since, was re-opened and is in a later one, or is nobody's
        business any more.
        """
        follows = models.Q(delivery__reason__in=[DIGEST, IN_DIGEST, DIGEST_FAILED])
        follows |= models.Q(delivery__reason__startswith=f"{LEFT_OUT}:")
        found = self.filter(
            follows, digest_id=window_id, delivery__generation=models.F("generation")
        )
        return list(found.select_related("delivery").order_by("delivery__event_time", "id"))

    def leave_out(self, items: Sequence[DigestItem]) -> None:
        """Keep why each of these is not told (`left_out`; empty: it is)."""
        self.bulk_update(items, ["left_out"], batch_size=500)


class DigestItem(models.Model):
    """One delivery of an event that is told in a digest."""

    id = models.BigAutoField(primary_key=True)
    digest = models.ForeignKey(DigestWindow, on_delete=models.CASCADE, related_name="entries")
    delivery = models.ForeignKey(
        Delivery,
        on_delete=models.CASCADE,
        related_name="digested",
        db_index=False,  # the unique key below starts with it
    )
    generation = models.PositiveIntegerField(
        default=0, help_text=_("The delivery's, as collected.")
    )
    left_out = models.CharField(
        max_length=100, blank=True, help_text=_("Why it was not told when the others were.")
    )

    objects = DigestItemQuerySet.as_manager()

    class Meta:
        verbose_name = _("digest item")
        verbose_name_plural = _("digest items")
        constraints = [
            models.UniqueConstraint(fields=["delivery", "generation"], name="digest_item_once"),
        ]

    def __str__(self) -> str:
        return f"{self.delivery_id} in {self.digest_id}"
