"""Heartbeat: keeps hidden in SQS what this process works on, for as long as it may.

A message is hidden for a minute; past that SQS gives it to somebody else. One whose task runs is
hidden anew at half of that time, again and again up to its consumer's maximum processing time.
One that only waits is hidden anew once, then given back: another worker may have room for it.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator

from notifications.worker import broker
from notifications.worker.acknowledger import Acknowledger
from notifications.worker.broker import Answer
from notifications.worker.counts import Counts
from notifications.worker.inflight import InFlight
from notifications.worker.queues import PolledQueue
from notifications.worker.received import Received
from notifications.worker.threads import Threads

logger = logging.getLogger(__name__)

LONGEST_TICK = 1.0
"""Seconds between two looks, or a twelfth of the visibility timeout if that is less: between the
half and two thirds of it there is time for a look that comes late and a call that fails."""

LONGEST_HIDDEN = 12 * 3600 - 60
"""Seconds, a minute less than the most that SQS grants to one receive, extensions included:
docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-visibility-timeout.html"""

_SENDERS = 4


class Heartbeat:
    """One daemon thread that looks, and a few that call SQS.

    on_stale, on_lost, on_overdue: called in one of them with messages that have waited too long,
    a message that somebody else holds now, one whose task takes longer than it may.
    """

    def __init__(
        self,
        in_flight: InFlight,
        acknowledger: Acknowledger,
        counts: Counts,
        *,
        on_stale: Callable[[list[Received]], None],
        on_lost: Callable[[Received], None],
        on_overdue: Callable[[Received], None],
    ) -> None:
        self._in_flight = in_flight
        self._acknowledger = acknowledger
        self._counts = counts
        self._on_stale = on_stale
        self._on_lost = on_lost
        self._on_overdue = on_overdue
        self._tick = LONGEST_TICK
        self._failing: set[str] = set()
        self._closed = threading.Event()
        self._senders = Threads("extend", _SENDERS)
        self._thread: threading.Thread | None = None

    def watch(self, queues: Iterable[PolledQueue]) -> None:
        """Look often enough for these queues; the first call starts the thread."""
        self._tick = min(self._tick, *(queue.visibility_timeout / 12 for queue in queues))
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="heartbeat", daemon=True)
            self._thread.start()

    def close(self, seconds: float) -> None:
        """Look no more, and wait up to `seconds` for the calls under way."""
        self._closed.set()
        self._senders.wait_until_idle(seconds)
        self._senders.close()

    def _run(self) -> None:
        while not self._closed.wait(self._tick):
            try:
                self._beat(time.monotonic())
            except Exception:
                logger.exception("A heartbeat failed")

    def _beat(self, now: float) -> None:
        for received in self._in_flight.mark_overdue(lambda each: is_overdue(each, now)):
            self._let_go(received)
        if stale := self._in_flight.take_unstarted(lambda each: is_stale(each, now)):
            self._counts.add("stale", len(stale))
            self._on_stale(stale)
        due = self._in_flight.mark_extending(lambda each: is_due(each, now))
        for batch in _batches(due):
            self._senders.submit(lambda batch=batch: self._extend(batch))  # type: ignore[misc]

    def _let_go(self, received: Received) -> None:
        """It comes again when its last extension ends, unless the task ends before that."""
        self._counts.add("overdue")
        logger.error(
            "Task %s of consumer %s is at event %s for longer than its maximum of %d s: the "
            "message is kept no longer, and comes again",
            received.queue.task,
            received.queue.consumer,
            received.event.id if received.event else received.message_id,
            received.queue.max_seconds,
        )
        self._on_overdue(received)

    def _extend(self, batch: list[Received]) -> None:
        now = time.monotonic()
        answers, trouble = self._acknowledger.extend([(each, seconds(each, now)) for each in batch])
        for received, answer in zip(batch, answers, strict=True):
            self._counts.add(f"extend_{answer.value}")
            if answer is Answer.DONE:
                received.hidden_since = now
                received.extensions += 1
            elif answer is Answer.EXPIRED:
                self._lose(received)
        self._say(batch[0].queue, trouble)

    def _lose(self, received: Received) -> None:
        """Settled meanwhile it is nobody's trouble; else its visibility timeout has passed."""
        if self._in_flight.mark_lost(received):
            logger.warning(
                "Message %s of %s is not ours any more: somebody else may be given it",
                received.message_id,
                received.queue.physical,
            )
            self._on_lost(received)

    def _say(self, queue: PolledQueue, trouble: str) -> None:
        """Once, until it goes well again; it is tried anew with each look."""
        if not trouble:
            self._failing.discard(queue.physical)
        elif queue.physical not in self._failing:
            self._failing.add(queue.physical)
            logger.warning("Could not keep messages of %s hidden: %s", queue.physical, trouble)


def is_due(received: Received, now: float) -> bool:
    """Whether to hide it anew now."""
    return (
        now >= _half_time(received)
        and not received.overdue
        and (received.started or not received.extensions)
        and seconds(received, now) > 0
    )


def is_stale(received: Received, now: float) -> bool:
    """Whether it has been kept for its turn, hidden anew, and kept again."""
    return bool(received.extensions) and now >= _half_time(received)


def is_overdue(received: Received, now: float) -> bool:
    """Whether its task takes longer than its consumer's maximum processing time."""
    return (
        received.started_at is not None and now >= received.started_at + received.queue.max_seconds
    )


def seconds(received: Received, now: float) -> int:
    """For how long to hide it: its queue's visibility timeout, as far as SQS allows it."""
    left = received.held_since + LONGEST_HIDDEN - now
    return int(min(received.queue.visibility_timeout, left))


def _half_time(received: Received) -> float:
    return received.hidden_since + received.queue.visibility_timeout / 2


def _batches(messages: Iterable[Received]) -> Iterator[list[Received]]:
    by_queue: defaultdict[str, list[Received]] = defaultdict(list)
    for received in messages:
        by_queue[received.queue.physical].append(received)
    for of_one_queue in by_queue.values():
        for start in range(0, len(of_one_queue), broker.BATCH):
            yield of_one_queue[start : start + broker.BATCH]
