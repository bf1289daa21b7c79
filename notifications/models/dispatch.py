"""Dispatch: the order to put an event on a topic or on one queue, not before a given time."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from django.db import connections, models
from django.db.models.functions import Cast, Least, Now
from django.utils.translation import gettext_lazy as _

from notifications import spans, tracing
from notifications.envelope import Envelope
from notifications.models.event import Event

LEASE = timedelta(seconds=60)
"""For how long a claimed row is its relay's alone. A batch takes at most 10 s of timeouts."""

FIRST_BACK_OFF, LONGEST_BACK_OFF = 1.0, 60.0
"""Seconds; doubled at each try, and the half of it random, so that failed rows spread out."""

MAX_ERROR = 500

# Both in one statement: every request that records an event waits for it.
_RECORD = """
    WITH event AS (
        INSERT INTO notifications_event
            (id, type, version, source, subject, time, data, traceparent, "foreign", expected)
        VALUES (
            %(id)s, %(type)s, %(version)s, %(source)s, %(subject)s, %(time)s, %(data)s::jsonb,
            %(traceparent)s, %(foreign)s, %(expected)s::varchar[]
        )
        RETURNING recorded_at
    ), dispatch AS (
        INSERT INTO notifications_dispatch (
            event_id, subject, kind, destination, reason, generation, attributes, state, tries,
            last_error, message_id
        )
        VALUES (
            %(id)s, %(subject)s, 'topic', %(topic)s, 'recorded', 0, '{}', 'waiting', 0, '', ''
        )
    )
    SELECT recorded_at FROM event
"""
# The CTE, not an IN (SELECT … LIMIT): PostgreSQL may run a subselect again for every row,
# and lock more of them than the limit.
_CLAIM = """
    WITH due AS MATERIALIZED (
        SELECT candidate.id FROM notifications_dispatch candidate
        WHERE candidate.state = 'waiting' AND candidate.available_at <= statement_timestamp()
          AND candidate.kind || '/' || candidate.destination <> ALL(%(left_alone)s)
          AND NOT (
            candidate.kind || '/' || candidate.destination = ANY(%(in_order)s)
            AND EXISTS (
                SELECT FROM notifications_dispatch earlier
                WHERE earlier.destination = candidate.destination
                  AND earlier.subject = candidate.subject
                  AND earlier.kind = candidate.kind
                  AND earlier.id < candidate.id
                  AND NOT (earlier.state = 'published')
            )
          )
        ORDER BY candidate.available_at, candidate.id
        LIMIT %(limit)s
        FOR UPDATE SKIP LOCKED
    )
    UPDATE notifications_dispatch dispatch
    SET state = 'claimed', token = %(token)s, tries = tries + 1,
        lease_until = statement_timestamp() + %(lease)s
    FROM due WHERE dispatch.id = due.id
    RETURNING dispatch.*
"""
_MARK_PUBLISHED = """
    UPDATE notifications_dispatch dispatch
    SET state = 'published', published_at = statement_timestamp(), last_error = '',
        message_id = done.message_id, token = NULL, lease_until = NULL
    FROM unnest(%(ids)s::bigint[], %(message_ids)s::text[]) AS done (id, message_id)
    WHERE dispatch.id = done.id AND dispatch.state = 'claimed' AND dispatch.token = %(token)s
"""
_BACK_OFF = """
    UPDATE notifications_dispatch dispatch
    SET state = 'waiting', last_error = failed.error, token = NULL, lease_until = NULL,
        available_at = statement_timestamp() + make_interval(secs =>
            least(%(first)s * 2 ^ least(dispatch.tries - 1, 30), %(longest)s)
            * (1 + random()) / 2)
    FROM unnest(%(ids)s::bigint[], %(errors)s::text[]) AS failed (id, error)
    WHERE dispatch.id = failed.id AND dispatch.state = 'claimed' AND dispatch.token = %(token)s
"""
_RELEASE = """
    UPDATE notifications_dispatch
    SET state = 'waiting', tries = tries - 1, token = NULL, lease_until = NULL
    WHERE state = 'claimed' AND token = %(token)s AND id = ANY(%(ids)s)
"""
_TAKE_BACK = """
    WITH abandoned AS MATERIALIZED (
        SELECT id FROM notifications_dispatch
        WHERE state = 'claimed' AND lease_until < statement_timestamp()
        FOR UPDATE SKIP LOCKED
    )
    UPDATE notifications_dispatch dispatch
    SET state = 'waiting', token = NULL, lease_until = NULL
    FROM abandoned WHERE dispatch.id = abandoned.id
"""
# Of the first so many: an outbox in which an announcement waits may be of millions, and whoever
# looks at a page needs to know that there are many, not how many.
_TALLY = """
    SELECT type, destination, reason, count(*)
    FROM (
        SELECT COALESCE(event.type, '') AS type, dispatch.destination, dispatch.reason
        FROM notifications_dispatch dispatch
        LEFT JOIN notifications_event event ON event.id = dispatch.event_id
        WHERE dispatch.state = 'waiting' AND dispatch.kind = 'queue'
        LIMIT %(most)s
    ) waiting
    GROUP BY type, destination, reason
    ORDER BY type, destination, reason
"""


class DispatchQuerySet(models.QuerySet["Dispatch"]):
    """The verbs that move a row. Each is one statement, and moves only what the token holds."""

    def record(self, event: Event, *, topic: str) -> None:
        """Keep a new event, and order its first publication, on `topic` (no prefix).

        Part of the caller's transaction.
        """
        self._for_write = True
        with connections[self.db].cursor() as cursor:
            cursor.execute(
                _RECORD,
                {
                    "id": event.id,
                    "type": event.type,
                    "version": event.version,
                    "source": event.source,
                    "subject": event.subject,
                    "time": event.time,
                    "data": json.dumps(event.data),
                    "traceparent": event.traceparent,
                    "foreign": event.foreign,
                    "expected": event.expected,
                    "topic": topic,
                },
            )
            (event.recorded_at,) = cursor.fetchone()
        event._state.adding, event._state.db = False, self.db

    def postpone(
        self,
        envelope: Envelope,
        *,
        queue: str,
        until: datetime,
        reason: str = "deferred",
    ) -> Dispatch:
        """Put the event on `queue` (no prefix) again, not before `until`.

        Part of the caller's transaction. `reason` is one of Dispatch.Reason. Not called
        `defer`, which every QuerySet has, for columns.
        """
        return self.create(
            event_id=envelope.id,
            subject=envelope.subject,
            kind=Dispatch.Kind.QUEUE,
            destination=queue,
            reason=Dispatch.Reason(reason),
            generation=envelope.generation,
            attributes=self._own_trace() if reason in Dispatch.ONCE_MORE else {},
            available_at=until,
        )

    @staticmethod
    def _own_trace() -> dict[str, str]:
        """What is done once more, days later maybe, is a trace of its own, which leads to the
        event's. Where there are no spans nothing could lead there: it stays in the event's."""
        return tracing.carried() if spans.is_on() else {}

    def postpone_once(
        self, envelope: Envelope, *, queue: str, until: datetime, reason: str
    ) -> None:
        """The same, unless one waits for that moment already: it brings the event to all of its
        recipients, and they are asked one by one."""
        waiting = self.filter(
            event_id=envelope.id,
            destination=queue,
            kind=Dispatch.Kind.QUEUE,
            reason=reason,
            generation=envelope.generation,
            available_at=until,
            state=Dispatch.State.WAITING,
        )
        if not waiting.exists():
            self.postpone(envelope, queue=queue, until=until, reason=reason)

    def with_any(self, texts: Collection[str]) -> DispatchQuerySet:
        """Those with any of these texts in a body of another's, or in its attributes."""
        written = self.annotate(written=Cast("attributes", output_field=models.TextField()))
        found = models.Q(pk__in=())
        for text in texts:
            found |= models.Q(body__contains=text) | models.Q(written__contains=text)
        return written.filter(found, reason__in=Dispatch.OF_OTHERS)

    def pull_forward_digest(self, event_id: UUID) -> None:
        """The digest of that event is full: it is due now."""
        waiting = self.filter(
            event_id=event_id, reason=Dispatch.Reason.DIGEST, state=Dispatch.State.WAITING
        )
        waiting.update(available_at=Now())

    def claim(
        self,
        limit: int,
        *,
        lease: timedelta = LEASE,
        in_order: Collection[str] = (),
        left_alone: Collection[str] = (),
    ) -> list[Dispatch]:
        """Up to `limit` due rows, ours for `lease`, all with one new token; oldest first.

        in_order: the FIFO destinations as "topic/<name>" and "queue/<name>"; of these a row
        is due only when no earlier row of its subject is open. Rows of one subject are made
        under its lock (the order's row), so that their ids stand in the order of commits.
        left_alone: destinations of which no row is wanted now.
        """
        self._for_write = True
        parameters = {
            "limit": limit,
            "lease": lease,
            "token": uuid4(),
            "in_order": list(in_order),
            "left_alone": list(left_alone),
        }
        claimed = list(self.raw(_CLAIM, parameters, using=self.db))
        events = models.Prefetch("event", Event.objects.using(self.db))
        models.prefetch_related_objects(claimed, events)
        return sorted(claimed, key=lambda dispatch: (dispatch.available_at, dispatch.id))

    def mark_published(self, token: UUID, message_ids: Mapping[int, str]) -> int:
        """These rows are out, under these SNS or SQS message ids. How many were still ours."""
        return self._move(
            _MARK_PUBLISHED,
            token=token,
            ids=list(message_ids),
            message_ids=list(message_ids.values()),
        )

    def back_off(self, token: UUID, errors: Mapping[int, str]) -> int:
        """These rows failed so: try again later, the later the more often it was tried."""
        return self._move(
            _BACK_OFF,
            token=token,
            ids=list(errors),
            errors=[error[:MAX_ERROR] for error in errors.values()],
            first=FIRST_BACK_OFF,
            longest=LONGEST_BACK_OFF,
        )

    def release(self, token: UUID, ids: Collection[int]) -> int:
        """Claimed, and never tried: give them back, due as before."""
        return self._move(_RELEASE, token=token, ids=list(ids))

    def take_back_abandoned(self) -> int:
        """Rows whose relay died: due again. They may have been published."""
        return self._move(_TAKE_BACK)

    def put_off(
        self, event_type: str, queues: Collection[str] | None = None
    ) -> models.QuerySet[Dispatch]:
        """Those that wait until this event type is resumed, or its template on these queues."""
        waiting = self.filter(
            state=Dispatch.State.WAITING,
            reason=Dispatch.Reason.PAUSED,
            event__type=event_type,
        )
        if queues is None:
            return waiting
        return waiting.filter(kind=Dispatch.Kind.QUEUE, destination__in=queues)

    def pull_forward(self, event_type: str, queues: Collection[str] | None = None) -> int:
        """What was put off is due now; how many rows."""
        return self.put_off(event_type, queues).update(available_at=Now())

    def tally(self, *, most: int) -> list[tuple[str, str, str, int]]:
        """What waits for a queue: event type, queue, reason and how many, of `most` rows in all."""
        self._for_write = True
        with connections[self.db].cursor() as cursor:
            cursor.execute(_TALLY, {"most": most})
            rows: list[tuple[str, str, str, int]] = cursor.fetchall()
        return rows

    def of_announcement(self, announcement: int) -> models.QuerySet[Dispatch]:
        """Those of an announcement that have not been published."""
        return self.filter(
            state=Dispatch.State.WAITING,
            reason__in=[Dispatch.Reason.PAUSED, Dispatch.Reason.ANNOUNCED],
            event__announcement=announcement,
        )

    def overdue(self) -> DispatchQuerySet:
        """Those that should be out, each with `due_since`; also what failed and waits for its next
        try. Of that it is known exactly for first publications, and for the others is soon over.
        """
        failed = models.Q(tries__gt=0)
        near = self.filter(
            models.Q(available_at__lte=Now()) | failed,
            state=Dispatch.State.WAITING,
            available_at__lte=Now() + timedelta(seconds=LONGEST_BACK_OFF),  # by the index
        )
        recorded = models.When(failed, reason=Dispatch.Reason.RECORDED, then="created_at")
        due = Least("available_at", Now())
        return near.annotate(due_since=models.Case(recorded, default=due))

    def oldest_due(self) -> datetime | None:
        """Since when the longest-waiting row is due: the outbox's lag counts from here."""
        oldest: datetime | None = self.overdue().aggregate(oldest=models.Min("due_since"))["oldest"]
        return oldest

    def _move(self, statement: str, **parameters: Any) -> int:
        self._for_write = True
        with connections[self.db].cursor() as cursor:
            cursor.execute(statement, parameters)
            return int(cursor.rowcount)


class Dispatch(models.Model):
    """One row of the outbox. The relay is the only one that publishes it."""

    class State(models.TextChoices):
        WAITING = "waiting", _("waiting")
        CLAIMED = "claimed", _("claimed by a relay")
        PUBLISHED = "published", _("published")

    class Kind(models.TextChoices):
        TOPIC = "topic", _("topic")
        QUEUE = "queue", _("queue")

    class Reason(models.TextChoices):
        RECORDED = "recorded", _("first publication")
        DEFERRED = "deferred", _("deferred")
        PAUSED = "paused", _("held while its event type or template is paused")
        THROTTLED = "throttled", _("recipient's limit reached")
        QUIET_HOURS = "quiet_hours", _("recipient's quiet hours")
        DIGEST = "digest", _("digest due")
        REOPENED = "reopened", _("lease expired")
        RESENT = "resent", _("resend")
        REDRIVEN = "redriven", _("redrive")
        REPLAYED = "replayed", _("replay")
        FELL_BACK = "fell_back", _("cross-channel fallback")
        RECEIVED = "received", _("a provider's call")
        ANNOUNCED = "announced", _("announcement")

    ONCE_MORE = frozenset({Reason.RESENT, Reason.REDRIVEN, Reason.REPLAYED})
    OF_OTHERS = frozenset({Reason.REDRIVEN, Reason.RECEIVED})
    """The only ones that may have a body, which somebody else wrote."""

    id = models.BigAutoField(primary_key=True)
    event = models.ForeignKey(
        Event,
        on_delete=models.CASCADE,
        related_name="dispatches",
        null=True,
        blank=True,
        help_text=_("Empty when a body that is no event is redriven."),
    )
    subject = models.CharField(max_length=255, blank=True)
    kind = models.CharField(max_length=8, choices=Kind.choices)
    destination = models.CharField(
        max_length=80, help_text=_("Topic or queue, without the environment's prefix.")
    )
    reason = models.CharField(max_length=16, choices=Reason.choices, default=Reason.RECORDED)
    generation = models.PositiveIntegerField(default=0)
    body = models.TextField(
        null=True,
        blank=True,
        help_text=_("The original body of a redrive; empty: made from the event."),
    )
    attributes = models.JSONField(default=dict, blank=True)
    state = models.CharField(max_length=12, choices=State.choices, default=State.WAITING)
    available_at = models.DateTimeField(db_default=Now())
    tries = models.PositiveIntegerField(default=0)
    token = models.UUIDField(null=True, blank=True, editable=False)
    lease_until = models.DateTimeField(null=True, blank=True, editable=False)
    last_error = models.TextField(blank=True)
    message_id = models.CharField(max_length=100, blank=True)
    created_at = models.DateTimeField(db_default=Now(), editable=False)
    published_at = models.DateTimeField(null=True, blank=True, editable=False)

    objects = DispatchQuerySet.as_manager()

    class Meta:
        verbose_name = _("dispatch")
        verbose_name_plural = _("dispatches")
        indexes = [
            models.Index(
                fields=["available_at", "id"],
                condition=models.Q(state="waiting"),
                name="dispatch_waiting",
            ),
            models.Index(
                fields=["lease_until"],
                condition=models.Q(state="claimed"),
                name="dispatch_claimed",
            ),
            models.Index(  # FIFO: is an earlier row of this subject still open?
                fields=["destination", "subject", "id"],
                condition=~models.Q(state="published"),
                name="dispatch_open_by_subject",
            ),
            models.Index(fields=["subject", "created_at"], name="dispatch_by_subject"),
            models.Index(fields=["published_at"], name="dispatch_by_published_at"),
            # What operators look for among millions of first publications; those cost nothing here.
            models.Index(
                fields=["destination", "id"],
                condition=models.Q(kind="queue"),
                name="dispatch_to_a_queue",
            ),
            models.Index(
                fields=["reason", "id"],
                condition=~models.Q(reason="recorded"),
                name="dispatch_once_more",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.subject} → {self.kind} {self.destination}"
