"""Expansion: an announcement becomes an event for each person, and a dispatch for each channel.

A thread of each relay does it, step by step. One step is one transaction, under the lock of the
announcement's row: what became of what lies on the queues is counted, then each lane that runs dry
is given its next batch, and the audience's next page is made into a batch when the foremost lane
has come to its end. So a relay that dies repeats nothing and leaves nobody out, and what is in
memory is one page, however large the audience.

Nothing runs far ahead of what is sent: a lane has as many people under way as it settles in
AHEAD seconds. That is what a pause holds and a cancellation stops, and how little of an
announcement ever lies in the outbox and on a queue.
"""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.core.exceptions import ImproperlyConfigured
from django.db import connections, transaction

from notifications import audiences, consumers, events, outbox, topology
from notifications.audiences import Audience
from notifications.conf import conf
from notifications.events import EventType
from notifications.exceptions import EventRefused, NotificationError
from notifications.models import Announcement, Event, Lane, Lot
from notifications.models.lane import KEPT_BY_SQS, Tally
from notifications.nudges import nudge
from notifications.outages import called_off, is_away

logger = logging.getLogger(__name__)

BATCH = 250
"""People in one batch: some twenty milliseconds of a relay to make, one statement to order."""

AHEAD = 20.0
"""Seconds for which a lane's people under way last at its pace."""

FEWEST, MOST = 2 * BATCH, 20_000
"""People under way in a lane whose pace is not known yet, and in the fastest."""

BATCH_SECONDS = 10.0
"""How long a batch lasts at most at the announcement's own rate."""

SOON = timedelta(seconds=2)
"""A batch whose time comes within this is ordered now: its messages wait in the outbox."""

LOOK, SELDOM = 2.0, 60.0
"""Seconds until a lot is looked at again, a tenth of its age, within these."""

_SAY_ENOUGH = (ImproperlyConfigured, NotificationError)

_EXPAND = """
    INSERT INTO notifications_event (
        id, type, version, source, subject, time, data, traceparent, "foreign", expected,
        announcement_id, batch
    )
    SELECT
        id, %(type)s, %(version)s, %(source)s, subject, %(time)s, data, '', FALSE,
        %(expected)s::varchar[], %(announcement)s, %(batch)s
    FROM json_to_recordset(%(rows)s) AS given (id uuid, subject text, data jsonb)
    ON CONFLICT (id) DO NOTHING
"""


class StandsStill(NotificationError):
    """PostgreSQL has called off a statement of an announcement: its audience takes too long to be
    read, or the database is slow. It is tried on, and the others were brought on."""

    default_code = "stands_still"


def advance(*, using: str, go_on: Callable[[], bool]) -> int:
    """A relay's chore: bring every announcement on as far as may be now. How many steps it took.

    Raises StandsStill of the last one that does.
    """
    steps = 0
    trouble: StandsStill | None = None
    for number in list(Announcement.objects.using(using).under_way().values_list("pk", flat=True)):
        try:
            while go_on() and step(number, using=using):
                steps += 1
        except Exception as error:
            if called_off(error):
                trouble = StandsStill(f"announcement {number} stands still: {error}")
                continue
            if is_away(error):
                raise
            logger.exception("Announcement %d is paused: somebody must look.", number)
            _stop(number, error, using)
    if trouble is not None:
        raise trouble
    return steps


def step(number: int, *, using: str) -> bool:
    """One step. Whether anything was done that another could go on from at once."""
    with transaction.atomic(using=using):
        announcement = Announcement.objects.using(using).held(number)
        if announcement is None:
            return False
        return _Step(announcement, using).take()


def _stop(number: int, error: Exception, using: str) -> None:
    """What it is about was taken away by a deploy, or its audience raises. The step was undone,
    nothing is lost, and the other announcements go on."""
    with transaction.atomic(using=using):
        if Announcement.objects.using(using).pause(number):
            words = str(error) if isinstance(error, _SAY_ENOUGH) else type(error).__name__
            Announcement.objects.using(using).get(pk=number).write(f"paused by itself: {words}")


def event_of(kind: EventType, audience: Audience, data: Mapping[str, Any], row: Any) -> Event:
    """What is told to this row's person; its id is made when it is expanded. Raises EventRefused,
    naming the wrong field."""
    try:
        own = audience.data(row)
    except Exception as error:
        raise EventRefused(
            f"audience {audience.name}: its data could not be made: {type(error).__name__}"
        ) from error
    return outbox.event_of(kind, kind.parse({**data, **own}))


def event_id(announcement: Announcement, person: str) -> UUID:
    """The same for the same person, so that nobody has two events of one announcement.

    A UUID of version 8 (RFC 9562 section 5.8): the milliseconds at which the announcement began,
    so that its events lie side by side in the index, and a hash.
    """
    milliseconds = int(announcement.created_at.timestamp() * 1000) & 0xFFFF_FFFF_FFFF
    digest = hashlib.sha256(f"{announcement.pk}\n{person}".encode()).digest()
    value = milliseconds << 80 | int.from_bytes(digest[:10])
    value = value & ~(0xF << 76) | 0x8 << 76
    value = value & ~(0b11 << 62) | 0b10 << 62
    return UUID(int=value)


@dataclass
class _Step:
    """One look at one announcement, whose row is locked."""

    announcement: Announcement
    using: str

    def take(self) -> bool:
        """Count, then order. False: there is nothing to do but wait."""
        lanes = list(self.announcement.lanes.order_by("pk"))
        for lane in lanes:
            self._count(lane)
        moved = False
        if self.announcement.state in Announcement.RUNNING:
            for lane in lanes:
                moved = self._feed(lane) or moved
        for lane in lanes:
            lane.save()
        self._conclude(lanes)
        return moved

    # What has become of those on the queues

    def _count(self, lane: Lane) -> None:
        due = list(lane.lots.filter(look_at__lte=self._now).order_by("number"))
        if due:
            consumer = consumers.name_serving(lane.channel)
            queues = [consumer, f"{consumer}-bulk"]
            tallies = lane.tally(
                [lot.number for lot in due],
                old=[lot.number for lot in due if self._is_old(lot)],
                consumer=consumer,
                queues=queues,
            )
            for lot in due:
                self._note(lane, lot, tallies[lot.number])
        if self.announcement.state in Announcement.RUNNING:
            lane.measure(self._now)
        else:
            lane.forget_pace()

    def _note(self, lane: Lane, lot: Lot, tally: Tally) -> None:
        if self._is_old(lot) and (lost := lot.people - tally.settled - tally.on_the_way):
            tally.counts["unaccounted"] = lost
            tally.settled += lost
            tally.postponed = min(tally.postponed, tally.on_the_way)
        lane.settled += tally.settled - lot.settled
        lane.postponed += tally.postponed - lot.postponed
        for word in {*lot.counts, *tally.counts}:
            more = tally.counts.get(word, 0) - lot.counts.get(word, 0)
            lane.counts[word] = lane.counts.get(word, 0) + more
        if tally.settled >= lot.people:
            lot.delete()
            return
        lot.settled, lot.postponed, lot.counts = tally.settled, tally.postponed, tally.counts
        seconds = min(max(self._age(lot).total_seconds() / 10, LOOK), SELDOM)
        lot.look_at = self._now + timedelta(seconds=seconds)
        lot.save()

    def _is_old(self, lot: Lot) -> bool:
        """Whose message neither waits in the outbox nor is younger than that is never settled."""
        return self._age(lot) > KEPT_BY_SQS

    def _age(self, lot: Lot) -> timedelta:
        return self._now - lot.created_at

    # The next of them

    def _feed(self, lane: Lane) -> bool:
        """Put the next batch on the lane's queue, if it is time. Whether it was."""
        batch = self._batch_size
        wanted = min(max((lane.pace or 0.0) * AHEAD, FEWEST), MOST)
        if lane.under_way + batch > wanted or lane.next_at > self._now + SOON:
            return False
        if lane.position == self.announcement.batches and not self._expand(batch):
            return False
        rate = self.announcement.rate
        at, apart = max(lane.next_at, self._now), 1 / rate if rate else 0.0
        consumer = consumers.name_serving(lane.channel)
        ordered = lane.order(
            lane.position + 1,
            queue=topology.current().bulk_queue(consumer).name,
            at=at,
            apart=apart,
        )
        lane.next_at = at + timedelta(seconds=ordered * apart)
        transaction.on_commit(lambda: nudge(self.using), using=self.using, robust=True)
        return True

    @property
    def _batch_size(self) -> int:
        rate = self.announcement.rate
        return BATCH if rate is None else max(1, min(BATCH, int(rate * BATCH_SECONDS)))

    def _expand(self, size: int) -> bool:
        """Make the next page of the audience into a batch. False when there is none."""
        announcement = self.announcement
        if announcement.expanded_at is not None:
            return False
        audience = audiences.get(announcement.audience)
        kind = events.event_type(announcement.event_type, announcement.version)
        rows: list[Any] = []
        if announcement.upto:
            rows = audience.page(announcement.cursor, announcement.upto, size)
        if rows:
            announcement.batches += 1
            self._keep(kind, audience, rows)
            announcement.cursor = audience.key_of(rows[-1])
        if len(rows) < size:
            announcement.expanded_at = self._now
            announcement.state = Announcement.State.SENDING
        return bool(rows)

    def _keep(self, kind: EventType, audience: Audience, rows: list[Any]) -> None:
        announcement = self.announcement
        found: dict[UUID, Event] = {}
        made = 0
        for row in rows:
            try:
                event = event_of(kind, audience, announcement.data, row)
            except EventRefused as error:
                if not announcement.refused:
                    announcement.write(f"a row of the audience makes no event: {error.message}")
                announcement.refused += 1
                continue
            event.id = event_id(announcement, audience.person(row))
            found[event.id] = event
            made += 1
        told = [
            {"id": str(each.id), "subject": each.subject, "data": each.data}
            for each in found.values()
        ]
        values: dict[str, Any] = {
            "type": kind.name,
            "version": kind.version,
            "source": conf().source,
            "time": announcement.created_at,
            "expected": [consumers.name_serving(channel) for channel in announcement.channels],
            "announcement": announcement.pk,
            "batch": announcement.batches,
            "rows": json.dumps(told),
        }
        with connections[self.using].cursor() as cursor:
            cursor.execute(_EXPAND, values)
            taken = int(cursor.rowcount)
        announcement.people += taken
        announcement.repeated += made - taken

    # Its end

    def _conclude(self, lanes: list[Lane]) -> None:
        announcement = self.announcement
        open_lots = any(lane.people > lane.settled for lane in lanes)
        behind = any(lane.position < announcement.batches for lane in lanes)
        if announcement.state == Announcement.State.SENDING and not open_lots and not behind:
            announcement.state = Announcement.State.DONE
            announcement.finished_at = announcement.settled_at = self._now
            announcement.write(f"done: {announcement.people:,} people")
        if announcement.state == Announcement.State.CANCELLED and not open_lots:
            announcement.settled_at = self._now
        announcement.moved_at = self._now
        announcement.save()

    @property
    def _now(self) -> datetime:
        now: datetime = self.announcement.now  # type: ignore[attr-defined]
        return now
