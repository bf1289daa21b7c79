"""EventTask: a Celery task that works on events.

    @shared_task(bind=True, base=EventTask, name="analytics.record",
                 autoretry_for=(TransientError,), max_retries=8, retry_backoff=2)
    def record(self, envelope): ...

Celery's own words mean what they say, with one difference: a retry publishes nothing. The
message sleeps in SQS, or, for more than 15 minutes or once too often, in the outbox; on a FIFO
queue always in SQS (`notifications.worker.hiding`).
"""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from datetime import timedelta
from typing import Any, NoReturn

from celery.contrib.django.task import DjangoTask
from celery.exceptions import Ignore, Retry, TaskPredicate
from django.db import Error, transaction
from django.utils import timezone

from notifications import (
    consumers,
    fallback_steps,
    fingerprints,
    metrics,
    provenance,
    restorations,
    spans,
    tracing,
)
from notifications import envelope as wire
from notifications.envelope import Envelope
from notifications.exceptions import AttemptsExhausted, Busy, NotificationError, TransientError
from notifications.models import Dispatch, Handled
from notifications.outages import called_off, is_away, leave_replica
from notifications.redaction import redact
from notifications.retries import RetryPolicy, delay
from notifications.shortages import shortage
from notifications.span import Kind
from notifications.topology import SPARE_RECEIVES
from notifications.worker import account, hiding, neighbours, starts
from notifications.worker.database import UNAVAILABLE, DatabaseUnavailable

logger = logging.getLogger(__name__)

LONGEST_SLEEP = 15 * 60
"""Seconds that a message sleeps in SQS at most: it counts as in flight there, and those are few."""

MOST_RECEIVES = SPARE_RECEIVES // 2
"""Receives beyond `max_retries` after which a message does not sleep any more, but is put off. A
wait for a turn or for a paused account costs no attempt, but SQS counts its receive, and at the
SPARE_RECEIVES makes a dead letter of what never failed. The other half is left for receives
that the worker does not choose: deploys, and messages that were hidden too long."""

DATABASE_WAIT = (2.0, 8.0)
"""Seconds, at random, until a message comes again whose database was away."""


class EventTask(DjangoTask[Any, Any]):
    """Base of every consumer's task: `run` is given an Envelope, and runs once per message.

    TransientError is tried again when the task says `autoretry_for`; Busy and a database that
    is away always are, and cost no attempt (a statement that was called off does, where others
    get through). What the operating system has none left of is always an attempt, and tried again.
    Anything else is given up at once.
    """

    abstract = True
    acks_late = True
    Request = "notifications.worker.request:Request"
    Strategy = "notifications.worker.strategy:events"
    max_retries = 8

    def __call__(self, event: str | Envelope) -> Any:
        """Read the event (a text, in the worker) and run the task on it."""
        envelope = wire.read(event, internal=True) if isinstance(event, str) else event
        with _traced(self._received.headers, envelope):
            return self._handle(envelope)

    def _handle(self, envelope: Envelope) -> Any:
        received = self._received
        started, began = time.perf_counter(), time.monotonic()
        try:
            work = f"work {self.name}"
            turn: AbstractContextManager[None] = nullcontext()
            if received.headers:
                received.envelope = envelope
                if consumers.get(received.headers["consumer"]).channel:
                    work = ""  # its deliveries ask, and are spans, for themselves
                else:
                    turn = account.admitted(self)
            with turn, self._on_record(received):
                if envelope.foreign:
                    fallback_steps.keep(envelope)
                with (
                    restorations.judged(envelope, received.headers),
                    spans.span(work) if work else nullcontext(),
                ):
                    if received.headers:
                        provenance.prove(envelope)
                    result = super().__call__(envelope)
                if received.headers:
                    _mark_done(received)
                    neighbours.note(received.headers["consumer"], envelope, well=True)
                return result
        except Busy as busy:
            self._sleep(busy, busy.seconds)
        except TaskPredicate:
            raise  # no failure: Celery's words for what becomes of the message
        except provenance.NotRecorded:
            raise  # nor is it put down to the event whose id it may bear
        except MemoryError:
            raise  # no failure either: the message comes again, until its starts convict it
        except Exception as error:
            if is_away(error):
                leave_replica(error)
                if received.headers and called_off(error):
                    self._insist_on_neighbours(error, began)
                wait = random.uniform(*DATABASE_WAIT)  # noqa: S311
                self._sleep(DatabaseUnavailable(type(error).__name__), wait)
            if received.headers and (short := shortage(error)):
                self._count(short, self.max_retries)
                self._sleep(short, delay(RetryPolicy.of(self), received.retries + 1))
            if received.headers:
                _mark_failed(received, error)
            _remember_attempts(error, received.retries + 1)
            raise
        finally:
            if received.headers:
                seconds = time.perf_counter() - started
                metrics.record_task(received.headers["consumer"], seconds)

    def retry(
        self,
        args: Any = None,
        kwargs: Any = None,
        exc: Exception | None = None,
        throw: bool = True,
        eta: Any = None,
        countdown: float | None = None,
        max_retries: int | None = None,
        **options: Any,
    ) -> NoReturn:
        """Try again in `exc.retry_after` or else `countdown` seconds. Always raises.

        Raises AttemptsExhausted once there have been more than `max_retries`. An error that is
        `counted` already (deliveries count their own attempts) is not counted again.
        """
        error = exc or TransientError("the task asked for it", code="retry")
        if not self._received.headers or isinstance(error, Busy) or is_away(error):
            raise error
        if not getattr(error, "counted", False):
            self._count(error, self.max_retries if max_retries is None else max_retries)
        if eta is not None:
            countdown = max(0.0, (eta - timezone.now()).total_seconds())
        wait = getattr(error, "retry_after", None)
        if wait is None:
            wait = self.default_retry_delay if countdown is None else countdown
        self._sleep(error, wait)

    def apply_async(self, *args: Any, **kwargs: Any) -> NoReturn:
        raise TypeError(
            f"{self.name} works on events and is not called: record one with "
            "notifications.outbox.record(), in the transaction of what happened."
        )

    delay = delay_on_commit = apply_async_on_commit = apply_async

    @property
    def _received(self) -> Any:
        """Celery's context of this run, with the envelope and what `translation` put there.

        Called by hand (`task(envelope)`, `task.apply`) it has no headers: an error is raised.
        """
        return self.request

    @property
    def may_have_begun(self) -> bool:
        """Whether an earlier try of its message, or a message before it, may have left a row."""
        return _may_have_failed(self._received)

    @contextmanager
    def _on_record(self, received: Any) -> Iterator[None]:
        """Sets `retries`, on which Celery's backoff grows (SQS's receives grow with deploys too),
        and closes the inbox row afterwards if there is one.

        The first receive of a fresh event costs no query here.
        """
        if not _may_have_failed(received):
            yield
            return
        consumer, envelope = received.headers["consumer"], received.envelope
        if not consumers.get(consumer).channel and Handled.objects.is_done(consumer, envelope.id):
            raise Ignore("done already")  # a channel's deliveries say so themselves
        receives = received.headers["receive_count"]
        if receives > 1:
            with starts.counted(consumer, envelope, receives=receives) as received.retries:
                yield
        else:
            received.retries = Handled.objects.attempts_of(
                consumer, envelope.id, generation=envelope.generation
            )
            yield
            Handled.objects.close_open(consumer, envelope)

    def _insist_on_neighbours(self, error: Exception, began: float) -> None:
        """Where they fare well it is this message's own trouble, and an attempt. Else returns."""
        received, envelope = self._received, self._received.envelope
        consumer: str = received.headers["consumer"]
        its_own = neighbours.fare_well(consumer, envelope, began=began)
        neighbours.note(consumer, envelope, well=False)
        logger.warning(
            "event %s (%s) at %s: PostgreSQL called a statement off in receive %d (%s); %s",
            envelope.id,
            envelope.type,
            consumer,
            received.headers["receive_count"],
            type(error.__cause__).__name__,
            "an attempt, for others get through" if its_own else "others fare no better",
        )
        if not its_own:
            return
        try:
            self._count(error, self.max_retries)
        except UNAVAILABLE:
            return  # the database is slow after all
        self._sleep(error, delay(RetryPolicy.of(self), received.retries + 1))

    def _count(self, error: BaseException, max_retries: int | None) -> None:
        envelope: Envelope = self._received.envelope
        consumer = self._received.headers["consumer"]
        with transaction.atomic():
            attempts = Handled.objects.count_attempt(consumer, envelope, error)
            if max_retries is None or attempts <= max_retries:
                return
            exhausted = AttemptsExhausted(f"{attempts} attempts, the last: {_words(error)}")
            exhausted.__cause__ = error
            fingerprints.mark(exhausted)
            _remember_attempts(exhausted, attempts)
            Handled.objects.mark_failed(consumer, envelope, exhausted)
        raise exhausted from error

    def _sleep(self, error: Exception, seconds: float) -> NoReturn:
        """Let the message go until then."""
        received = self._received
        if not received.headers:
            raise error
        seconds = max(0.0, seconds)  # of no number, too: it must not keep the message's place
        if not isinstance(error, (Busy, DatabaseUnavailable)):
            metrics.record_retry(received.headers["consumer"])
        worn = _worn(received, error)
        if received.envelope.event_type.internal:  # it has no event that could be put off
            seconds = min(LONGEST_SLEEP, hiding.wait(seconds, worn=worn))
        elif received.headers["fifo"]:
            seconds = hiding.wait(seconds, worn=worn)
        elif seconds > LONGEST_SLEEP or worn:
            try:
                _put_off(received, seconds)
            except UNAVAILABLE as lost:
                leave_replica(lost)
                error = DatabaseUnavailable(type(lost).__name__)
                # It may answer and take nothing, as with a full disk: then nothing else ends this
                # but SQS, by the receives that are left.
                wait = random.uniform(*DATABASE_WAIT)  # noqa: S311
                seconds = min(LONGEST_SLEEP, hiding.wait(wait, worn=worn))
            else:
                raise Ignore(f"deferred for {seconds:.0f} s: {_words(error)}")
        raise Retry(exc=error, when=seconds)  # type: ignore[arg-type]


@contextmanager
def _traced(headers: Any, envelope: Envelope) -> Iterator[None]:
    """What is done with the message belongs to its trace. That of an event which is told or
    handled once more is another than the event's, and leads to it."""
    if not headers:
        with tracing.continued(envelope.traceparent):
            yield
        return
    came_with: str = headers.get("traceparent") or envelope.traceparent
    here = spans.place()
    try:
        with (
            tracing.continued(came_with),
            spans.span(
                f"process {headers['queue']}",
                Kind.CONSUMER,
                links=[] if envelope.traceparent == came_with else [envelope.traceparent],
                event=envelope.id,
                event_type=envelope.type,
                subject=redact(envelope.subject) if envelope.foreign else envelope.subject,
                consumer=headers["consumer"],
                queue=headers["queue"],
                message_id=headers.get("message_id"),
                waited=round(time.time() - headers["sent_at"], 3),
                system="aws_sqs",
                operation="process",
                operation_type="process",
            ),
        ):
            here = spans.place()
            yield
    finally:
        spans.stay(here)  # Celery says next, in this thread, what became of the task


def _may_have_failed(received: Any) -> bool:
    """Whether an earlier try may have left a row: of this message, of one that was redriven, or
    of one that was put off, whose successor SQS receives for the first time."""
    if not received.headers:
        return False
    envelope: Envelope = received.envelope
    return (
        received.headers["receive_count"] > 1
        or envelope.generation > 0
        or received.headers["sent_at"] - envelope.time.timestamp() > LONGEST_SLEEP
    )


def _worn(received: Any, error: Exception) -> int:
    """Receives that SQS has counted too many: it would be a dead letter before long. 0: none.

    A suspect is not put off: its successor, received for the first time, would not run alone.
    Its waits grow, so that its receives last long enough.
    """
    if isinstance(error, Busy) and error.code == starts.SUSPECT:
        return 0
    most = consumers.get(received.headers["consumer"]).max_retries + MOST_RECEIVES
    return max(0, int(received.headers["receive_count"]) - most + 1)


def _put_off(received: Any, seconds: float) -> None:
    """A new message in so many seconds, which SQS has never received; this one may be deleted.

    If there were failures its successor comes late enough to know of them (`_may_have_failed`).
    """
    consumer, envelope = received.headers["consumer"], received.envelope
    now = timezone.now()
    until = now + timedelta(seconds=seconds)
    with transaction.atomic():
        if envelope.foreign:
            fallback_steps.keep(envelope)
        if Handled.objects.attempts_of(consumer, envelope.id):
            until = max(until, min(envelope.time, now) + timedelta(seconds=LONGEST_SLEEP + 1))
        Dispatch.objects.postpone(envelope, queue=received.headers["queue"], until=until)


def _mark_done(received: Any) -> None:
    """Not in the transaction of what the task did: where twice is harm, the task marks it there."""
    consumer = consumers.get(received.headers["consumer"])
    if consumer.keeps_inbox:
        Handled.objects.mark_done(consumer.name, received.envelope)


def _mark_failed(received: Any, error: Exception) -> None:
    """An error that knows its attempts is on a row already: a delivery's, or ours.

    A row that was left open for it, by a redrive or an attempt before, is closed all the same: no
    message is left that would, and what is open is kept for ever.
    """
    consumer, envelope = received.headers["consumer"], received.envelope
    try:
        if hasattr(error, "attempts"):
            Handled.objects.close_given_up(consumer, envelope, error)
        else:
            Handled.objects.mark_failed(consumer, envelope, error, uncounted=1)
    except Error as trouble:
        # It must not keep the message from the dead letters, where the failure stands too.
        logger.error(
            "That %s gave up event %s could not be written: %s",
            consumer,
            envelope.id,
            type(trouble).__name__,
        )


def _remember_attempts(error: BaseException, attempts: int) -> None:
    """On the error itself, which is all that a child of the prefork pool gives its parent."""
    if not hasattr(error, "attempts"):
        error.attempts = attempts  # type: ignore[attr-defined]


def _words(error: BaseException) -> str:
    return str(error) if isinstance(error, NotificationError) else type(error).__name__
