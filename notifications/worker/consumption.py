"""Consumption: the messages of one worker process, from their receipt to their settlement.

It knows SQS and threads, and nothing of Celery: the transport hands it consumers to watch
and is given messages to run; the requests tell it what became of them.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from typing import Any

from django.db import connection

from notifications import breakers, consumers
from notifications.dead_letters import Failure
from notifications.worker import broker, reading
from notifications.worker.acknowledger import Acknowledger
from notifications.worker.bulkhead import Bulkhead
from notifications.worker.counts import Counts
from notifications.worker.database import DatabaseWatch
from notifications.worker.departures import Departures
from notifications.worker.gate import Gate
from notifications.worker.heartbeat import Heartbeat
from notifications.worker.inflight import InFlight
from notifications.worker.poller import Poller
from notifications.worker.queues import PolledQueue, polled_queues
from notifications.worker.reading import GiveUp, PassOver, PutOff, Run, Wait
from notifications.worker.received import Received
from notifications.worker.slots import Slots
from notifications.worker.unknown_events import UNKNOWN_HELD, UnknownEvents

logger = logging.getLogger(__name__)

WAIT_WITHOUT_DATABASE = 5
"""Seconds for which a message sleeps that came while the database was away."""

WAIT_UNREAD = 5
"""Seconds until messages come again that an error of ours kept from their tasks."""

POLL_MARGIN = 10
"""Seconds beyond its long poll that a shutdown waits for an open poll."""

FLUSH_SECONDS = 15
"""The longest that a shutdown waits for answers to its last acknowledgements; and before that as
long for what it gives up, and for what it keeps hidden."""


class Consumption:
    """deliver: called with messages that are events, to be run, in whichever thread brought
    them or settled the one before.
    wait_seconds, receives: the poller's. unknown_held: seconds an unknown event waits.
    places: the bulkhead's.
    on_hung: called when a thread is at a message for longer than its consumer may take.
    """

    def __init__(
        self,
        deliver: Callable[[list[Received]], None],
        *,
        wait_seconds: int,
        receives: int,
        unknown_held: float = UNKNOWN_HELD,
        places: Callable[[], int] | None = None,
        on_hung: Callable[[], None] = lambda: None,
    ) -> None:
        self.counts = Counts()
        self._bulkhead = Bulkhead(deliver, places)
        self._wait_seconds = wait_seconds
        self._unknown = UnknownEvents(unknown_held)
        self._on_hung = on_hung
        self._watched: set[str] = set()
        self._in_flight = InFlight(on_gone=self._bulkhead.gone)
        self._acknowledger = Acknowledger(self.counts)
        self._heartbeat = Heartbeat(
            self._in_flight,
            self._acknowledger,
            self.counts,
            on_stale=self._give_back_stale,
            on_lost=self._lost,
            on_overdue=self._overdue,
        )
        self._closing = threading.Lock()
        self._closed = False
        self._departures = Departures(self._acknowledger, self.counts, self._finished)
        self._slots = Slots(broker.BATCH, on_free=lambda: self._poller.advance())
        self._poller = Poller(
            self._slots,
            Gate(wait_seconds=wait_seconds, on_missed=self.database_missed),
            self.take,
            self.return_unheld,
            self.counts,
            receives=receives,
        )
        self._database = DatabaseWatch(self._poller.pause, self._poller.resume)

    def resize(self, prefetch: int) -> None:
        """Hold up to `prefetch` messages, and more when they are quickly done."""
        self._slots.resize(prefetch)

    def watch(self, consumer: str) -> None:
        """Receive this consumer's messages, as soon as the database answers."""
        queues = polled_queues(consumer)
        self._watched.add(consumer)
        self._heartbeat.watch(queues)
        self._bulkhead.watch(consumer)
        self._database.look()
        self._poller.watch(queues)

    def leave(self, consumer: str) -> None:
        """Receive no more, and give back what has not begun."""
        self._watched.discard(consumer)
        self._poller.leave(consumer)
        self._give_back(consumer)

    def take(
        self,
        queue: PolledQueue,
        messages: list[dict[str, Any]],
        turns: Sequence[float] = (),
        probe: bool = False,
    ) -> None:
        """What one receive brought: hold it, read it, and deliver what is an event.

        turns: starts of the account's units that were bought for it, one for each message as far
        as they go. probe: it is let through the account's open breaker.
        When that raises, what was not delivered goes back to the queue.
        """
        held = self._hold(queue, messages, probe=probe)
        for received, turn in zip(held, turns, strict=False):
            received.turn = turn
        try:
            self._see_to(queue, held)
        except Exception:
            self._hand_back(held, WAIT_UNREAD)
            raise

    def return_unheld(self, queue: PolledQueue, messages: list[dict[str, Any]]) -> None:
        """What one receive brought that is not to be run now: visible again at once, or, when it
        has gone to and fro already, a little later, lest it do so between many workers.
        """
        for message in messages:
            received = Received.of(queue, message)
            times = min(received.receive_count, 5)
            self._acknowledger.hide(received, 0 if times <= 1 else 2.0 ** (times - 1))
        self._acknowledger.flush()

    @property
    def running(self) -> int:
        """Messages whose task has begun and is not settled."""
        return self._in_flight.running

    def report(self) -> dict[str, Any]:
        """What this process holds and does now, in the words of `WorkerProcess`."""
        return {
            "held": self._in_flight.held,
            "running": self._in_flight.running,
            "slots": self._slots.capacity,
            "slots_used": self._slots.used,
            "counts": self.counts.snapshot(),
            "queues": self._poller.report(),
            "trouble": self._poller.trouble,
        }

    def neglected(self) -> dict[str, float]:
        """The poller's."""
        return self._poller.neglected()

    def start(self, handle: str, *, in_thread: bool = False) -> bool:
        """The task is about to run. False when the message is not ours any more: it must not.

        in_thread: of this process, so that nobody can kill it.
        """
        return self._in_flight.start(handle, in_thread=in_thread) is not None

    def done(self, handle: str) -> None:
        """The task is done: the message goes."""
        if received := self._in_flight.take(handle):
            self._acknowledger.delete(received)
            self._finished(received)

    def retry(self, handle: str, seconds: float) -> None:
        """The message comes again in `seconds`, to whoever receives it then."""
        if received := self._in_flight.take(handle):
            self._acknowledger.hide(received, seconds)
            self._finished(received)

    def abandon(self, handle: str) -> None:
        """The message comes again when it is not hidden any more."""
        if received := self._in_flight.take(handle):
            self.counts.add("abandoned")
            self._finished(received)

    def give_up(
        self, handle: str, failure: Failure, *, first: Callable[[], None] | None = None
    ) -> None:
        """The message becomes a dead letter, in a thread; `first` is called there before."""
        if received := self._in_flight.take(handle):
            self._departures.to_dead_letters(received, failure, first)

    def database_missed(self) -> None:
        """A task could not reach the database: receive nothing until it answers."""
        self._database.look()

    def stop(self) -> None:
        """Receive no more for any consumer, and give back what has not begun."""
        for consumer in list(self._watched):
            self.leave(consumer)

    def give_back_all(self) -> None:
        """Nobody is left who could run what was begun: it is visible again at once."""
        left = self._in_flight.take_all()
        self._acknowledger.give_back(left)
        for received in left:
            self._slots.release(received.queue.consumer)

    def wait_for_others(self, seconds: float) -> int:
        """Wait for the tasks that have not hung; how many still run after `seconds`."""
        return self._in_flight.wait_for_others(seconds)

    def close(self, *, patient: bool) -> None:
        """Settle everything that is not running any more. `patient`: wait for open polls, so
        that what they bring is given back too; else it stays hidden for its visibility timeout.
        What a task that still runs then decides is sent from its own thread.
        """
        with self._closing:
            if not self._closed:
                self._closed = True
                self._close(patient=patient)

    def _close(self, *, patient: bool) -> None:
        self.stop()
        self._database.close()
        self._poller.close()
        if patient and not self._poller.wait(0):
            logger.info("Waiting for open polls, at most %d s", self._wait_seconds)
            self._poller.wait(self._wait_seconds + POLL_MARGIN)
        if not self._poller.wait(0):
            logger.warning("Left with polls open: what they bring comes back by itself later")
        self._departures.close(FLUSH_SECONDS)
        self._heartbeat.close(FLUSH_SECONDS)
        self._acknowledger.close(FLUSH_SECONDS)
        logger.info("Messages: %s", self.counts)

    def _finished(self, received: Received) -> None:
        self._slots.release(received.queue.consumer, finished=True)

    def _give_back_stale(self, waiting: list[Received]) -> None:
        """Their consumer receives no more until one of its tasks ends: else the same messages
        came again at once, each time nearer to their queue's maxReceiveCount."""
        for consumer in {received.queue.consumer for received in waiting}:
            self._slots.shut(consumer)
            # Looked at only now, lest its last task ends between the two.
            if not self._in_flight.runs(consumer):
                self._slots.reopen(consumer)
        self._acknowledger.give_back(waiting)
        for received in waiting:
            self._slots.release(received.queue.consumer)

    def _lost(self, received: Received) -> None:
        if not received.started:
            self._slots.release(received.queue.consumer)

    def _overdue(self, received: Received) -> None:
        if received.in_thread:
            self._on_hung()

    def _hold(
        self, queue: PolledQueue, messages: list[dict[str, Any]], *, probe: bool
    ) -> list[Received]:
        held = []
        for message in messages:
            try:
                received = Received.of(queue, message)
            except Exception:
                # Nothing to name it by: it comes again when its visibility timeout is over.
                logger.exception("A message of %s could not be held", queue.physical)
                self._slots.release(queue.consumer)
            else:
                received.probe = probe  # before it is held: from then on it may be given back
                self._in_flight.hold(received)
                held.append(received)
        return held

    def _see_to(self, queue: PolledQueue, held: list[Received]) -> None:
        if queue.consumer not in self._watched:
            self._give_back(queue.consumer)
        elif self._poller.paused:
            for received in held:
                self.retry(received.handle, WAIT_WITHOUT_DATABASE)
        else:
            events = [each for each in held if self._read(each)]
            self._bulkhead.put(queue.consumer, events)
            if not events:
                self._leave_probe(queue.consumer, held)

    def _leave_probe(self, consumer: str, held: list[Received]) -> None:
        """These have asked no provider: a probe among them is another's, at once. Else one that a
        worker has as it ends would be nobody's for as long as a message may take."""
        if any(each.probe for each in held):
            breakers.leave_probe(consumers.get(consumer).account_name)
            connection.close()

    def _hand_back(self, held: list[Received], seconds: float) -> None:
        waiting = self._in_flight.take_unstarted(lambda each: each in held)
        for received in waiting:
            self._acknowledger.hide(received, seconds)
            self._slots.release(received.queue.consumer)

    def _give_back(self, consumer: str) -> None:
        waiting = self._in_flight.take_unstarted(lambda each: each.queue.consumer == consumer)
        self._acknowledger.give_back(waiting)
        self._slots.release(consumer, len(waiting))
        self._leave_probe(consumer, waiting)

    def _read(self, received: Received) -> bool:
        """Whether it is an event to be run; what is not is seen to."""
        match reading.read(received, self._unknown):
            case Run(event):
                received.event = event
                return True
            case PutOff(event):
                received.event = event
                if taken := self._in_flight.take(received.handle):
                    self._departures.to_outbox(taken)
            case Wait(seconds):
                self.retry(received.handle, seconds)
            case GiveUp(failure):
                self.give_up(received.handle, failure)
            case PassOver():
                self.counts.add("not_ours")
                self.done(received.handle)
        return False
