"""Lane: one channel of an announcement, along its batches; Lot: a batch that lies on its queue."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from django.db import connections, models
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from notifications.models.announcement import Announcement
from notifications.models.delivery import Delivery
from notifications.setting import RETENTION_DAYS

MEASURED_EVERY, SMOOTHED_OVER = 5.0, 30.0
"""Seconds between two measures of a lane's pace, and over which they are smoothed."""

KEPT_BY_SQS = timedelta(days=RETENTION_DAYS)
"""What has lain on a queue for longer is gone."""

LATER = timedelta(minutes=1)
"""What is not to be tried before this has passed waits on no queue: it keeps nobody waiting."""

SENT = frozenset(
    {Delivery.State.SENT, Delivery.State.DELIVERED}
    | {Delivery.State.BOUNCED, Delivery.State.COMPLAINED}
)
"""A provider took it; what it says of it later is on the delivery, and counted nowhere here."""

# From one batch's events to their dispatches, without any of it passing through this process.
_ORDER = """
    INSERT INTO notifications_dispatch (
        event_id, subject, kind, destination, reason, generation, attributes, state, tries,
        last_error, message_id, available_at
    )
    SELECT
        id, subject, 'queue', %(queue)s, 'announced', 0, '{}', 'waiting', 0, '', '',
        %(at)s + make_interval(secs => (row_number() OVER (ORDER BY id) - 1) * %(apart)s)
    FROM notifications_event
    WHERE announcement_id = %(announcement)s AND batch = %(number)s
"""
_AT_REST = "(state = ANY(%(terminal)s) OR (state = 'unknown' AND next_try_at IS NULL))"
# Somebody is settled once all their deliveries are at rest, or, where there is nobody to tell or
# the message was given up before it came to a delivery, once the channel's inbox says so. What is
# put off for long has a delivery, or a dispatch, that says until when.
_TALLY = f"""
    WITH person AS MATERIALIZED (
        SELECT event.id, event.batch,
            (
                SELECT bool_and({_AT_REST}) FROM notifications_delivery
                WHERE event_id = event.id AND channel = %(channel)s
            ) AS told,
            (
                SELECT outcome FROM notifications_handled
                WHERE event_id = event.id AND consumer = %(consumer)s
            ) AS handled
        FROM notifications_event event
        WHERE event.announcement_id = %(announcement)s AND event.batch = ANY(%(numbers)s)
    )
    SELECT batch, 'settled', '', count(*) FROM person
    WHERE COALESCE(told, handled <> 'open', FALSE) GROUP BY batch
    UNION ALL
    SELECT batch, 'postponed', '', count(*) FROM person
    WHERE NOT COALESCE(told, handled <> 'open', FALSE) AND (
        EXISTS (
            SELECT FROM notifications_delivery
            WHERE event_id = person.id AND channel = %(channel)s
                AND next_try_at > statement_timestamp() + %(later)s
        ) OR EXISTS (
            SELECT FROM notifications_dispatch
            WHERE event_id = person.id AND destination = ANY(%(queues)s) AND state = 'waiting'
                AND available_at > statement_timestamp() + %(later)s
        )
    ) GROUP BY batch
    UNION ALL
    SELECT batch, CASE handled WHEN 'done' THEN 'nobody' ELSE 'failed' END,
        CASE handled WHEN 'done' THEN '' ELSE 'given_up' END, count(*)
    FROM person WHERE told IS NULL AND handled <> 'open' GROUP BY 1, 2, 3
    UNION ALL
    SELECT batch, 'on_the_way', '', count(*) FROM person
    WHERE batch = ANY(%(old)s) AND NOT COALESCE(told, handled <> 'open', FALSE) AND EXISTS (
        SELECT FROM notifications_dispatch
        WHERE event_id = person.id AND destination = ANY(%(queues)s)
            AND (state <> 'published' OR published_at > statement_timestamp() - %(kept_by_sqs)s)
    ) GROUP BY batch
    UNION ALL
    SELECT batch, CASE WHEN state = ANY(%(sent)s) THEN 'sent' ELSE state END,
        CASE WHEN state IN ('skipped', 'failed') THEN split_part(reason, ':', 1) ELSE '' END,
        count(*)
    FROM person JOIN notifications_delivery
        ON event_id = person.id AND channel = %(channel)s
    WHERE {_AT_REST} GROUP BY 1, 2, 3
"""  # noqa: S608 - a text of ours


@dataclass
class Tally:
    """What has become of the people of one lot. counts: messages by "sent", "skipped:opted_out".

    on_the_way: of an old lot, those whose message waits in the outbox, or was put on a queue so
    lately that it may still lie there.
    """

    settled: int = 0
    postponed: int = 0
    on_the_way: int = 0
    counts: dict[str, int] = field(default_factory=dict)


class Lane(models.Model):
    """How far a channel is. Its row is moved under the lock of its announcement's.

    `position`: the last batch that was put on its queue. `people`: of those batches. `settled`: of
    how many it is known what became of them; `counts` says what, message by message.
    """

    id = models.BigAutoField(primary_key=True)
    announcement = models.ForeignKey(Announcement, on_delete=models.CASCADE, related_name="lanes")
    channel = models.CharField(max_length=40)
    position = models.PositiveIntegerField(default=0)
    people = models.PositiveBigIntegerField(default=0)
    settled = models.PositiveBigIntegerField(default=0)
    postponed = models.PositiveBigIntegerField(
        default=0, help_text=_("Put off for more than a minute: they wait on no queue.")
    )
    counts = models.JSONField(
        default=dict, blank=True, help_text=_("Messages by what became of them.")
    )
    next_at = models.DateTimeField(db_default=Now(), help_text=_("When its next batch may begin."))
    pace = models.FloatField(
        null=True, blank=True, help_text=_("People settled a second, of late.")
    )
    measured = models.PositiveBigIntegerField(
        default=0, help_text=_("Settled, when last measured.")
    )
    measured_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        verbose_name = _("lane")
        verbose_name_plural = _("lanes")
        constraints = [
            models.UniqueConstraint(
                fields=["announcement", "channel"], name="lane_of_announcement_once"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.announcement} by {self.channel}"

    @property
    def under_way(self) -> int:
        """People whose message lies on the queue, or is on its way there."""
        return max(0, self.people - self.settled - self.postponed)

    def order(self, number: int, *, queue: str, at: datetime, apart: float) -> int:
        """Put the people of this batch on `queue`, from `at` on, `apart` seconds from each other.

        How many there are. The lot stays until it is known what became of them.
        """
        values: dict[str, Any] = {
            "announcement": self.announcement_id,
            "number": number,
            "queue": queue,
            "at": at,
            "apart": apart,
        }
        with connections[self._state.db or "default"].cursor() as cursor:
            cursor.execute(_ORDER, values)
            people = int(cursor.rowcount)
        self.position = number
        self.people += people
        if people:
            Lot.objects.using(self._state.db).create(lane=self, number=number, people=people)
        return people

    def tally(
        self, numbers: Sequence[int], *, old: Sequence[int], consumer: str, queues: Sequence[str]
    ) -> Mapping[int, Tally]:
        """What has become of these batches. old: those of them that were ordered so long ago that
        a message may be lost. queues: where their messages may be put off to."""
        values: dict[str, Any] = {
            "announcement": self.announcement_id,
            "numbers": list(numbers),
            "old": list(old),
            "kept_by_sqs": KEPT_BY_SQS,
            "channel": self.channel,
            "consumer": consumer,
            "queues": list(queues),
            "later": LATER,
            "sent": sorted(SENT),
            "terminal": sorted(Delivery.TERMINAL),
        }
        found = {number: Tally() for number in numbers}
        with connections[self._state.db or "default"].cursor() as cursor:
            cursor.execute(_TALLY, values)
            for number, word, detail, count in cursor.fetchall():
                tally = found[number]
                if word == "settled":
                    tally.settled = count
                elif word == "postponed":
                    tally.postponed = count
                elif word == "on_the_way":
                    tally.on_the_way = count
                else:
                    tally.counts[f"{word}:{detail}" if detail else word] = count
        return found

    def measure(self, now: datetime) -> None:
        """Its pace of late, once some seconds have passed since the last measure."""
        if self.measured_at is None:
            self.measured, self.measured_at = self.settled, now
            return
        seconds = (now - self.measured_at).total_seconds()
        if seconds < MEASURED_EVERY:
            return
        pace = (self.settled - self.measured) / seconds
        weight = 1 - math.exp(-seconds / SMOOTHED_OVER)
        self.pace = pace if self.pace is None else self.pace + weight * (pace - self.pace)
        self.measured, self.measured_at = self.settled, now

    def forget_pace(self) -> None:
        """What was measured does not hold any more: it has rested."""
        self.measured_at = None


class Lot(models.Model):
    """A batch on a lane's queue, until it is known what became of all its people. So there are few
    of these, however large the audience."""

    id = models.BigAutoField(primary_key=True)
    lane = models.ForeignKey(Lane, on_delete=models.CASCADE, related_name="lots")
    number = models.PositiveIntegerField()
    people = models.PositiveIntegerField()
    settled = models.PositiveIntegerField(default=0)
    postponed = models.PositiveIntegerField(default=0)
    counts = models.JSONField(default=dict, blank=True)
    look_at = models.DateTimeField(db_default=Now(), help_text=_("When it is looked at next."))
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        verbose_name = _("lot")
        verbose_name_plural = _("lots")
        constraints = [
            models.UniqueConstraint(fields=["lane", "number"], name="lot_of_lane_once"),
        ]
        indexes = [models.Index(fields=["lane", "look_at"], name="lot_to_look_at")]

    def __str__(self) -> str:
        return f"batch {self.number} of {self.lane}"
