"""Handled: the inbox row of one event at one consumer."""

from __future__ import annotations

from typing import Any, NamedTuple
from uuid import UUID

from django.db import connections, models
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from notifications import consumers, fingerprints
from notifications.envelope import Envelope
from notifications.models.delivery import Delivery
from notifications.redaction import redact

# A redrive raises the generation and starts the count anew; what is done stays done.
_UPSERT = """
INSERT INTO notifications_handled AS handled (
    consumer, event_id, event_type, event_time, subject, generation,
    attempts, starts, outcome, last_error, done_at
) VALUES (
    %(consumer)s, %(event)s, %(event_type)s, %(event_time)s, %(subject)s, %(generation)s,
    %(attempts)s, 0, %(outcome)s, %(error)s,
    CASE WHEN %(outcome)s = 'open' THEN NULL ELSE statement_timestamp() END
)
ON CONFLICT (consumer, event_id) DO UPDATE SET
    generation = GREATEST(handled.generation, EXCLUDED.generation),
    attempts = EXCLUDED.attempts
        + CASE WHEN handled.generation < EXCLUDED.generation THEN 0 ELSE handled.attempts END,
    outcome = EXCLUDED.outcome,
    last_error = EXCLUDED.last_error,
    done_at = EXCLUDED.done_at
WHERE handled.outcome <> 'done'
RETURNING attempts
"""

# With a text for its error, or the first end of a start would take it for one of its own. Race: a
# copy of the message is being done. Whoever comes second waits here, and finds it done.
_REOPEN = """
INSERT INTO notifications_handled AS handled (
    consumer, event_id, event_type, event_time, subject, generation,
    attempts, starts, outcome, last_error
) VALUES (
    %(consumer)s, %(event)s, %(event_type)s, %(event_time)s, %(subject)s, %(generation)s,
    0, 0, 'open', %(why)s
)
ON CONFLICT (consumer, event_id) DO UPDATE SET
    generation = GREATEST(handled.generation, EXCLUDED.generation),
    attempts = 0, starts = 0, outcome = 'open', last_error = EXCLUDED.last_error, done_at = NULL
WHERE %(done_too)s OR handled.outcome <> 'done'
"""

# No row comes back for a suspect (a row with starts) unless it may begin.
_BEGIN = """
INSERT INTO notifications_handled AS handled (
    consumer, event_id, event_type, event_time, subject, generation,
    attempts, starts, outcome, last_error
) VALUES (
    %(consumer)s, %(event)s, %(event_type)s, %(event_time)s, %(subject)s, %(generation)s,
    0, 1, 'open', ''
)
ON CONFLICT (consumer, event_id) DO UPDATE SET starts = handled.starts + 1
WHERE handled.starts = 0 OR %(suspects)s
RETURNING starts, CASE WHEN generation < %(generation)s THEN 0 ELSE attempts END
"""

# A row that is open without an error was made by a start, and has nothing else to say.
_END = """
WITH forgotten AS (
    DELETE FROM notifications_handled
    WHERE consumer = %(consumer)s AND event_id = %(event)s AND outcome = 'open' AND last_error = ''
)
UPDATE notifications_handled SET
    starts = 0,
    last_error = CASE WHEN %(well)s THEN '' ELSE last_error END,
    done_at = CASE WHEN %(well)s AND outcome <> 'done'
        THEN statement_timestamp() ELSE done_at END,
    outcome = CASE WHEN %(well)s THEN 'done' ELSE outcome END
WHERE consumer = %(consumer)s AND event_id = %(event)s
    AND NOT (outcome = 'open' AND last_error = '')
    AND (starts > 0 OR (%(well)s AND outcome <> 'done'))
"""


class Begun(NamedTuple):
    """starts: of its task that have not ended, this one with them. attempts: that have failed."""

    starts: int
    attempts: int


class HandledQuerySet(models.QuerySet["Handled"]):
    """The inbox's verbs. Each is one statement and says how many attempts there have been."""

    def count_attempt(self, consumer: str, envelope: Envelope, error: BaseException) -> int:
        """One more failed attempt of this generation; the number of them so far."""
        return self._upsert(
            consumer, envelope, attempts=1, outcome=Handled.Outcome.OPEN, error=error
        )

    def attempts_of(self, consumer: str, event_id: UUID, *, generation: int = 0) -> int:
        """Failed attempts so far of this generation or a later one; 0 if there were none."""
        row = self.filter(consumer=consumer, event_id=event_id, generation__gte=generation)
        return row.values_list("attempts", flat=True).first() or 0

    def mark_failed(
        self, consumer: str, envelope: Envelope, error: BaseException, *, uncounted: int = 0
    ) -> int:
        """The consumer gave the event up, after `uncounted` attempts more than were counted.

        With it fail the deliveries that it was to go on with and never came to: no message is
        left that would.
        """
        if channel := consumers.channel_of(consumer):
            said = redact(f"{type(error).__name__}: {error}")
            left = Delivery.objects.using(self.db).left_to(envelope, channel)
            left.end_unsent(
                Delivery.State.FAILED,
                reason="given_up",
                error=said,
                fingerprint=fingerprints.of(error),
            )
        return self._upsert(
            consumer, envelope, attempts=uncounted, outcome=Handled.Outcome.FAILED, error=error
        )

    def close_given_up(self, consumer: str, envelope: Envelope, error: BaseException) -> bool:
        """The consumer gave the event up, which another row tells. Makes none; whether one of this
        generation or an earlier one was open."""
        row = self.filter(
            consumer=consumer,
            event_id=envelope.id,
            generation__lte=envelope.generation,
            outcome=Handled.Outcome.OPEN,
        )
        said = redact(f"{type(error).__name__}: {error}")
        return bool(row.update(outcome=Handled.Outcome.FAILED, last_error=said, done_at=Now()))

    def close_lost(self, consumer: str, event_id: UUID, *, why: str) -> bool:
        """No message is left that would close it. Makes no row; whether it was open."""
        row = self.filter(consumer=consumer, event_id=event_id, outcome=Handled.Outcome.OPEN)
        return bool(row.update(outcome=Handled.Outcome.FAILED, last_error=why, done_at=Now()))

    def reopen(self, consumer: str, envelope: Envelope, *, why: str) -> bool:
        """The event is owed to the consumer once more, from its first attempt on.

        The row is there from now on, whatever there was, so that its end will be known. False, and
        nothing is owed, where a service has done it; what a channel has done, its deliveries say.
        """
        channel = consumers.channel_of(consumer)
        values = {**_identity(consumer, envelope), "why": why, "done_too": bool(channel)}
        with connections[self.db].cursor() as cursor:
            cursor.execute(_REOPEN, values)
            return bool(cursor.rowcount)

    def is_done(self, consumer: str, event_id: UUID) -> bool:
        """Whether the consumer has said that it has done all that this event asks of it."""
        done = self.filter(consumer=consumer, event_id=event_id, outcome=Handled.Outcome.DONE)
        return done.exists()

    def mark_done(self, consumer: str, envelope: Envelope) -> int:
        """The consumer has done all that this event asks of it."""
        return self._upsert(
            consumer, envelope, attempts=0, outcome=Handled.Outcome.DONE, error=None
        )

    def enter(self, consumer: str, envelope: Envelope) -> bool:
        """The same, within the transaction that does it. Whether it had not been done before."""
        written = self._write(
            consumer, envelope, attempts=0, outcome=Handled.Outcome.DONE, error=None
        )
        return written is not None

    def begin(self, consumer: str, envelope: Envelope) -> Begun | None:
        """The task is about to run, and has not ended until `ended` or `close_open` says so.

        None, and nothing is counted, when an earlier start has not ended: such an event is
        suspected of killing the process that runs it.
        """
        row = self._begin(consumer, envelope, suspects=False)
        return Begun(*row) if row else None

    def begin_suspect(self, consumer: str, envelope: Envelope) -> Begun:
        """The same, whatever its earlier starts."""
        return Begun(*self._begin(consumer, envelope, suspects=True))

    def ended(self, consumer: str, event_id: UUID) -> None:
        """The task came to an end, though not a good one: no start of it is open any more."""
        self._end(consumer, event_id, well=False)

    def close_open(self, consumer: str, envelope: Envelope) -> bool:
        """It has been done after all. Makes no row; whether there is one that says so now."""
        return self._end(consumer, envelope.id, well=True)

    def _end(self, consumer: str, event_id: UUID, *, well: bool) -> bool:
        with connections[self.db].cursor() as cursor:
            cursor.execute(_END, {"consumer": consumer, "event": event_id, "well": well})
            return bool(cursor.rowcount)

    def _begin(self, consumer: str, envelope: Envelope, *, suspects: bool) -> Any:
        values = {**_identity(consumer, envelope), "suspects": suspects}
        with connections[self.db].cursor() as cursor:
            cursor.execute(_BEGIN, values)
            return cursor.fetchone()

    def _upsert(
        self,
        consumer: str,
        envelope: Envelope,
        *,
        attempts: int,
        outcome: Handled.Outcome,
        error: BaseException | None,
    ) -> int:
        written = self._write(consumer, envelope, attempts=attempts, outcome=outcome, error=error)
        if written is None:  # done already, and it stays so; but no try goes uncounted
            done = self.filter(consumer=consumer, event_id=envelope.id)
            done.update(attempts=models.F("attempts") + attempts)
            return self.attempts_of(consumer, envelope.id)
        return written

    def _write(
        self,
        consumer: str,
        envelope: Envelope,
        *,
        attempts: int,
        outcome: Handled.Outcome,
        error: BaseException | None,
    ) -> int | None:
        """The attempts it has then; None, and nothing is written, where it is done already."""
        values = {
            **_identity(consumer, envelope),
            "attempts": attempts,
            "outcome": outcome.value,
            "error": redact(f"{type(error).__name__}: {error}") if error else "",
        }
        with connections[self.db].cursor() as cursor:
            cursor.execute(_UPSERT, values)
            row = cursor.fetchone()
        return int(row[0]) if row else None


def _identity(consumer: str, envelope: Envelope) -> dict[str, Any]:
    return {
        "consumer": consumer,
        "event": envelope.id,
        "event_type": envelope.type,
        "event_time": envelope.time,
        "subject": envelope.subject,
        "generation": envelope.generation,
    }


class Handled(models.Model):
    """What a consumer did with an event.

    Service consumers leave one for each event, unless they keep no inbox (`Consumer.inbox`): then
    only for what failed at least once, and for what they mark themselves. Channel consumers leave
    deliveries instead, and a row here only when there was nobody to tell, or when something failed
    before there was a delivery to count on. While the task of a message runs that was received
    before, there is one for either.
    """

    class Outcome(models.TextChoices):
        OPEN = "open", _("open")
        DONE = "done", _("done")
        FAILED = "failed", _("given up")

    id = models.BigAutoField(primary_key=True)
    consumer = models.CharField(max_length=40)
    event_id = models.UUIDField()
    event_type = models.CharField(max_length=100, blank=True)
    event_time = models.DateTimeField(null=True, blank=True)
    subject = models.CharField(max_length=255, blank=True)
    generation = models.PositiveIntegerField(default=0)
    attempts = models.PositiveIntegerField(default=0)
    starts = models.PositiveIntegerField(
        default=0, help_text=_("Times its task began and has not ended: what kills the process.")
    )
    outcome = models.CharField(max_length=8, choices=Outcome.choices, default=Outcome.OPEN)
    last_error = models.TextField(blank=True)
    received_at = models.DateTimeField(db_default=Now())
    done_at = models.DateTimeField(null=True, blank=True)

    objects = HandledQuerySet.as_manager()

    class Meta:
        verbose_name = _("handled")
        verbose_name_plural = _("handled events")
        constraints = [
            models.UniqueConstraint(fields=["consumer", "event_id"], name="handled_once"),
        ]
        indexes = [
            models.Index(fields=["subject", "received_at"], name="handled_by_subject"),
            models.Index(fields=["event_id"], name="handled_by_event"),
            models.Index(fields=["received_at"], name="handled_by_received_at"),
            models.Index(fields=["done_at"], name="handled_by_done_at"),
            models.Index(
                fields=["outcome", "id"],
                condition=~models.Q(outcome="done"),
                name="handled_needs_a_look",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.consumer}: {self.event_type} {self.subject}"
