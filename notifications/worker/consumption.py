"""Consumption: the messages of one worker process, from their receipt to their settlement.

It knows SQS and threads, and nothing of Celery: the transport hands it consumers to watch
and is given messages to run; the requests tell it what became of them.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from django.db import connection

from notifications import dead_letters, pauses, switches
from notifications.dead_letters import Failure, Letter, Refused
from notifications.exceptions import NotAnEvent, UnknownEvent
from notifications.worker import broker, translation
from notifications.worker.acknowledger import Acknowledger
from notifications.worker.counts import Counts
from notifications.worker.database import DatabaseWatch
from notifications.worker.inflight import InFlight
from notifications.worker.poller import Poller
from notifications.worker.queues import PolledQueue, polled_queues
from notifications.worker.received import Received
from notifications.worker.slots import Slots
from notifications.worker.threads import Threads

logger = logging.getLogger(__name__)

UNKNOWN_HELD = 30 * 60
"""Seconds for which an event of unknown type waits: a rolling deploy may yet bring its model."""

FIRST_UNKNOWN_WAIT, LONGEST_UNKNOWN_WAIT = 30, 300
"""Seconds between looks; growing, so that the looks stay far below the queue's maxReceiveCount."""

WAIT_WITHOUT_DATABASE = 5
"""Seconds for which a message sleeps that came while the database was away."""

WAIT_UNREAD = 5
"""Seconds until messages come again that an error of ours kept from their tasks."""

WAIT_UNBURIED = 60
"""Seconds until a message is looked at again that nobody took as a dead letter."""

FLUSH_SECONDS = 15
"""The longest that a shutdown waits for answers to its last acknowledgements."""

_BURIERS = 4


class Consumption:
    """deliver: called in a polling thread with messages that are events, to be run.
    wait_seconds, receives: the poller's. unknown_held: seconds an unknown event waits.
    """

    def __init__(
        self,
        deliver: Callable[[list[Received]], None],
        *,
        wait_seconds: int,
        receives: int,
        unknown_held: float = UNKNOWN_HELD,
    ) -> None:
        self.counts = Counts()
        self._deliver = deliver
        self._wait_seconds = wait_seconds
        self._unknown_held = unknown_held
        self._watched: set[str] = set()
        self._said_unknown: set[str] = set()
        self._in_flight = InFlight()
        self._acknowledger = Acknowledger(self.counts)
        self._buriers = Threads("bury", _BURIERS)
        self._slots = Slots(broker.BATCH, on_free=lambda: self._poller.advance())
        self._poller = Poller(
            self._slots,
            self.take,
            self.counts,
            wait_seconds=wait_seconds,
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
        held = self._hold(queue, messages)
        for received, turn in zip(held, turns, strict=False):
            received.turn = turn
        for received in held:
            received.probe = probe
        try:
            self._see_to(queue, held)
        except Exception:
            self._hand_back(held, WAIT_UNREAD)
            raise

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
            "queues": [],
        }

    def start(self, handle: str) -> bool:
        """The task is about to run. False when the message is not ours any more: it must not."""
        return self._in_flight.start(handle)

    def done(self, handle: str) -> None:
        """The task is done: the message goes."""
        if received := self._in_flight.take(handle):
            self._acknowledger.delete(received)
            self._slots.release(finished=True)

    def retry(self, handle: str, seconds: float) -> None:
        """The message comes again in `seconds`, to whoever receives it then."""
        if received := self._in_flight.take(handle):
            self._acknowledger.hide(received, seconds)
            self._slots.release(finished=True)

    def give_up(
        self, handle: str, failure: Failure, *, first: Callable[[], None] | None = None
    ) -> None:
        """The message becomes a dead letter, in a thread; `first` is called there before."""
        if received := self._in_flight.take(handle):
            self._buriers.submit(lambda: self._bury(received, failure, first))

    def database_missed(self) -> None:
        """A task could not reach the database: receive nothing until it answers."""
        self._database.look()

    def close(self, *, patient: bool) -> None:
        """Settle everything that is not running any more. `patient`: wait for open polls, so
        that what they bring is given back too; else it stays hidden for its visibility timeout.
        """
        for consumer in list(self._watched):
            self.leave(consumer)
        self._database.close()
        self._poller.close()
        if patient and not self._poller.wait(0):
            logger.info("Waiting for open polls, at most %d s", self._wait_seconds)
            self._poller.wait(self._wait_seconds + 10)
        if not self._poller.wait(0):
            logger.warning("Left with polls open: what they bring comes back by itself later")
        self._buriers.wait_until_idle(FLUSH_SECONDS)
        self._buriers.close()
        self._acknowledger.close(FLUSH_SECONDS)
        logger.info("Messages: %s", self.counts)

    def _hold(self, queue: PolledQueue, messages: list[dict[str, Any]]) -> list[Received]:
        held = []
        for message in messages:
            try:
                received = Received.of(queue, message)
            except Exception:
                # Nothing to name it by: it comes again when its visibility timeout is over.
                logger.exception("A message of %s could not be held", queue.physical)
                self._slots.release()
            else:
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
            self._deliver([received for received in held if self._read(received)])

    def _hand_back(self, held: list[Received], seconds: float) -> None:
        waiting = self._in_flight.take_unstarted(lambda each: each in held)
        for received in waiting:
            self._acknowledger.hide(received, seconds)
        self._slots.release(len(waiting))

    def _give_back(self, consumer: str) -> None:
        waiting = self._in_flight.take_unstarted(lambda each: each.queue.consumer == consumer)
        self._acknowledger.give_back(waiting)
        self._slots.release(len(waiting))

    def _read(self, received: Received) -> bool:
        """Whether it is an event to be run; what is not is seen to."""
        try:
            received.event = translation.read(received)
        except UnknownEvent as error:
            self._hold_unknown(received, error)
            return False
        except NotAnEvent as error:
            self.give_up(received.handle, Failure.of(error, attempts=0))
            return False
        if received.event is None:
            self._pass_over(received)
            return False
        if received.event.type in switches.look().paused_event_types:
            self._put_off(received)
            return False
        return True

    def _put_off(self, received: Received) -> None:
        """Its type is paused: the message goes back to the outbox, in a thread."""
        if taken := self._in_flight.take(received.handle):
            self._buriers.submit(lambda: self._return_to_outbox(taken))

    def _pass_over(self, received: Received) -> None:
        """Well-formed and none of our business: somebody else's message, say."""
        logger.debug("Message %s on %s is not ours", received.message_id, received.queue.physical)
        self.counts.add("not_ours")
        self.done(received.handle)

    def _hold_unknown(self, received: Received, error: UnknownEvent) -> None:
        self._say_once(error)
        left = received.sent_at + self._unknown_held - time.time()
        if left <= 0:
            self.give_up(received.handle, Failure.of(error, attempts=0))
            return
        wait = FIRST_UNKNOWN_WAIT * 2 ** min(received.receive_count - 1, 10)
        self.retry(received.handle, min(wait, LONGEST_UNKNOWN_WAIT, left))

    def _say_once(self, error: UnknownEvent) -> None:
        """Once for each type: its messages come by the thousand, and again every few minutes."""
        if error.message not in self._said_unknown:
            self._said_unknown.add(error.message)
            logger.warning(
                "Holding an event for up to %d min: %s; is this worker older than the event?",
                self._unknown_held // 60,
                error.message,
            )

    def _return_to_outbox(self, received: Received) -> None:
        """Deleted only when the dispatch is committed: a crash between leaves both."""
        try:
            put_off = received.event and pauses.put_off(received.event, received.queue.name)
        except Exception:
            logger.exception("Message %s could not be put off", received.message_id)
            self.counts.add("not_put_off")
            self._acknowledger.hide(received, WAIT_UNBURIED)
        else:
            if put_off:
                self.counts.add("put_off")
                self._acknowledger.delete(received)
            else:
                switches.look_again()  # resumed a moment ago
                self._acknowledger.hide(received, 0)
        finally:
            connection.close()
            self._slots.release(finished=True)

    def _bury(self, received: Received, failure: Failure, first: Callable[[], None] | None) -> None:
        try:
            if first is not None:
                first()
            dead_letters.bury(_letter(received, failure), _send)
        except Exception:
            logger.exception("Message %s could not be given up", received.message_id)
            self.counts.add("not_given_up")
            self._acknowledger.hide(received, WAIT_UNBURIED)
        else:
            self.counts.add("given_up")
            self._acknowledger.delete(received)
        finally:
            connection.close()  # this thread belongs to no task, after which Celery would
            self._slots.release(finished=True)


def _letter(received: Received, failure: Failure) -> Letter:
    event = received.event
    return Letter(
        queue=received.queue.name,
        dead_letters=received.queue.dead_letters,
        message_id=received.message_id,
        body=received.body,
        failure=failure,
        first_seen=dead_letters.moment(received.first_received_at or received.sent_at),
        attributes={
            name: {
                key: value[key]
                for key in ("DataType", "StringValue", "BinaryValue")
                if key in value
            }
            for name, value in received.attributes.items()
        },
        group=received.group,
        generation=event.generation if event else 0,
        event_id=event.id if event else None,
        event_type=event.type if event else "",
        subject=event.subject if event else "",
    )


def _send(letter: Letter, attributes: Mapping[str, Any]) -> None:
    try:
        broker.send(
            letter.dead_letters,
            letter.body,
            attributes,
            group=letter.group,
            key=f"{letter.message_id}.{letter.generation}",
        )
    except broker.FAILURES as error:
        said = broker.describe(error)
        raise (Refused if broker.is_refusal(error) else OSError)(said) from error
