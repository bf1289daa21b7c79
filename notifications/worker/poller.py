"""Poller: decides when to receive from which queue, and does it in threads.

An idle queue has one long poll open. A queue that fills its batches is busy, and gets
several short polls at once. A FIFO queue gives one message at a time. A bulk queue has its
turn only while the queue before it is not busy. Slots are reserved before a receive, so that
no queue can bring more messages than the process may hold, whatever the others have under way.
Whether a queue may be polled, and for how many messages, the gate says, in the thread.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any, Protocol

from notifications import metrics
from notifications.worker import broker
from notifications.worker.backoff import back_off
from notifications.worker.counts import Counts
from notifications.worker.gate import Gate
from notifications.worker.permit import Permit, Refusal
from notifications.worker.poll_watch import PATIENCE, OpenPoll, PollWatch
from notifications.worker.polled import Polled
from notifications.worker.queues import PolledQueue
from notifications.worker.slots import Slots
from notifications.worker.threads import Threads, Timer

logger = logging.getLogger(__name__)

FIRST_BACK_OFF, LONGEST_BACK_OFF = 0.5, 30.0

TICK = 1.0
"""Seconds between looks at what nobody announces: a pause, a poll that hangs."""

RECEIVE_MARGIN = 5.0
"""Seconds beyond a receive's connect and read timeouts after which it hangs."""

_MOST_THREADS = 128

GiveBack = Callable[[PolledQueue, list[dict[str, Any]]], None]


class Take(Protocol):
    def __call__(
        self,
        queue: PolledQueue,
        messages: list[dict[str, Any]],
        turns: Sequence[float] = (),
        probe: bool = False,
    ) -> None:
        """Called in a polling thread with what one receive brought, slots reserved for each
        message; it answers for these slots, even when it raises."""


class Poller:
    """take: see there. give_back: called in a polling thread with messages that are not to be
    run now; no slots are theirs.
    wait_seconds: the long poll of an idle queue, and so the longest that a shutdown takes.
    receives: receives under way at once for a busy queue.
    patience: seconds beyond its long poll after which a receive is given up.
    """

    def __init__(
        self,
        slots: Slots,
        gate: Gate,
        take: Take,
        give_back: GiveBack,
        counts: Counts,
        *,
        receives: int = 4,
        patience: float = broker.CONNECT_SECONDS + broker.ANSWER_SECONDS + RECEIVE_MARGIN,
    ) -> None:
        self._slots = slots
        self._gate = gate
        self._take = take
        self._give_back = give_back
        self._counts = counts
        self._receives = receives
        self._patience = patience
        self._lock = threading.RLock()
        self._polled: list[Polled] = []
        self._turn = 0
        self.paused = False
        self.trouble = ""
        self._closed = threading.Event()
        self._threads = Threads("receive", _MOST_THREADS)
        self._timer = Timer("poll-timer")
        self._watch = PollWatch()
        self._timer.after(TICK, self._tick)

    def watch(self, queues: tuple[PolledQueue, ...]) -> None:
        """Receive from these; each only while the one before it is not busy."""
        with self._lock:
            before = None
            for queue in queues:
                before = Polled(queue, before)
                self._polled.append(before)
            self._divide_slots()
        self.advance()

    def leave(self, consumer: str) -> None:
        """Start no more receives for this consumer. Those under way still bring what they find."""
        with self._lock:
            self._polled = [each for each in self._polled if each.queue.consumer != consumer]
            self._divide_slots()

    def pause(self) -> None:
        """Start no receive until `resume()`. What open polls bring is still handed over."""
        self.paused = True

    def resume(self) -> None:
        self.paused = False
        self.advance()

    def advance(self) -> None:
        """Start every receive that may be started now, the queues taking turns."""
        with self._lock:
            turn = self._turn % max(1, len(self._polled))
            for polled in self._polled[turn:] + self._polled[:turn]:
                while self._start(polled):
                    self._turn = self._polled.index(polled) + 1

    def report(self) -> list[dict[str, Any]]:
        """Of each queue: name, last_poll (seconds since its last receive began), under_way (polls)
        and held_by (why it is not polled)."""
        with self._lock:
            return [polled.report() for polled in self._polled]

    def neglected(self) -> dict[str, float]:
        """By queue: seconds since it last had a poll or a reason for none. An open poll ends within
        the longest that its steps may take, or is given up; so there is a bound to this, whatever
        becomes of the database and SQS."""
        now = time.monotonic()
        return {polled.queue.name: now - polled.seen_to_at for polled in self._polled}

    def close(self) -> None:
        """Start nothing more, and end each thread with its poll."""
        self._closed.set()
        with self._lock:
            self._polled = []
        self._timer.close()
        self._threads.close()

    def wait(self, seconds: float) -> bool:
        """Wait for open polls. False when some were still open after `seconds`."""
        return self._threads.wait_until_idle(seconds)

    def _divide_slots(self) -> None:
        self._slots.divide(len({polled.queue.consumer for polled in self._polled}))

    def _tick(self) -> None:
        if not self._closed.is_set():
            self._timer.after(TICK, self._tick)
            self._give_up_overdue()
            self.advance()

    # Starting a poll. Nothing here may wait: it is called on the event loop, too.

    def _start(self, polled: Polled) -> bool:
        """Start one poll, if the queue may have another and there are slots for it."""
        if polled.under_way < self._most(polled):
            polled.seen_to_at = time.monotonic()
        if not self._may_start(polled):
            return False
        slots = self._reserve(polled)
        if not slots:
            polled.held_by = "every slot is taken"
            return False
        polled.held_by = ""
        polled.under_way += 1
        poll = self._watch.open(polled, slots)
        self._threads.submit(lambda: self._poll(poll))
        return True

    def _may_start(self, polled: Polled) -> bool:
        if self._closed.is_set():
            return False
        if self.paused:
            polled.held_by = "the database is away"
            return False
        if polled.before is not None and polled.before.busy:
            polled.held_by = f"{polled.before.queue.name} goes first"
            return False
        if time.monotonic() < polled.not_before:
            return False
        return polled.under_way < self._most(polled)

    def _most(self, polled: Polled) -> int:
        """Polls of it at once."""
        return self._receives if polled.busy and polled.plenty else 1

    def _reserve(self, polled: Polled) -> int:
        queue, share = polled.queue, self._slots.share
        if queue.fifo:
            # SQS holds a group back only from the next receive on: one that brings two of a
            # group has them run side by side.
            return self._slots.reserve(queue.consumer, 1, 1)
        if polled.busy:
            full = min(broker.BATCH, max(1, share // 2))
            return self._slots.reserve(queue.consumer, full, broker.BATCH)
        # What one idle queue may tie up: all of them together no more than half of what the window
        # has when it closes, which it may do long before their polls end.
        idle = self._slots.prefetch // (2 * max(1, len(self._polled)))
        return self._slots.reserve(queue.consumer, 1, min(broker.BATCH, max(1, idle)))

    # One poll, in its thread.

    def _poll(self, poll: OpenPoll) -> None:
        """Whatever it raises, the queue is polled again."""
        try:
            self._ask_and_receive(poll)
        except Exception as error:  # noqa: BLE001 - what nobody foresaw is backed off, too
            self._failed(poll.polled, error)
        finally:
            if self._watch.close(poll):
                self._end(poll)
            self.advance()

    def _ask_and_receive(self, poll: OpenPoll) -> None:
        polled = poll.polled
        permit = self._gate.admit(polled.queue, poll.slots, busy=polled.busy)
        if isinstance(permit, Refusal):
            self._refused(polled, permit)
            return
        self._release(poll, poll.slots - permit.most)
        if not self._permitted(polled, permit):
            self._gate.settle(polled.queue, permit, 0)
            return
        messages = self._receive(poll, permit)
        if messages is not None:
            self._bring(poll, permit, messages)

    def _permitted(self, polled: Polled, permit: Permit) -> bool:
        """Note what the gate said. False when the queue has been left while it was asked."""
        with self._lock:
            polled.plenty, polled.began_at = permit.plenty, time.monotonic()
            if permit.again:
                polled.not_before = polled.began_at + permit.again
            wanted = polled in self._polled and not self.paused
        if permit.again:
            self._timer.after(permit.again, self.advance)
        return wanted

    def _receive(self, poll: OpenPoll, permit: Permit) -> list[dict[str, Any]] | None:
        """The messages; None when SQS failed, which has been seen to."""
        queue = poll.polled.queue
        self._watch.expect(poll, permit.wait + self._patience)
        try:
            messages = broker.receive(queue, permit.most, permit.wait)
        except Exception as error:  # noqa: BLE001 - no error ends consumption
            self._gate.settle(queue, permit, 0)
            self._failed(poll.polled, error, foreseen=isinstance(error, broker.FAILURES))
            return None
        self._watch.expect(poll, PATIENCE)
        self._counts.add("received", len(messages))
        if messages:
            metrics.record_received(queue.consumer, len(messages))
        return messages

    def _bring(self, poll: OpenPoll, permit: Permit, messages: list[dict[str, Any]]) -> None:
        """Hand over what came, or give it back."""
        polled, queue = poll.polled, poll.polled.queue
        seconds = time.monotonic() - (polled.began_at or 0.0)
        try:
            turns = self._gate.settle(queue, permit, len(messages))
        except Exception:
            self._give_back(queue, messages)
            raise
        if isinstance(turns, Refusal):
            self._give_back(queue, messages)
            self._refused(polled, turns)
        elif not self._watch.spend(poll, len(messages)):
            self._counts.add("received_late", len(messages))
            self._give_back(queue, messages)
        else:
            if messages:
                self._take(queue, messages, turns, permit.probe)
            self._received(polled, busy=permit.shows_backlog(len(messages), seconds))

    def _received(self, polled: Polled, *, busy: bool) -> None:
        with self._lock:
            failures = polled.note_answer(busy=busy)
        if failures:
            logger.warning(
                "Receiving from %s again, after %d failures", polled.queue.physical, failures
            )

    def _refused(self, polled: Polled, refusal: Refusal) -> None:
        with self._lock:
            # What only waits for its turn goes before its bulk queue; what is paused does not.
            polled.busy, polled.plenty = refusal.rate, False
            polled.put_off(refusal.seconds, refusal.why)
        self._timer.after(refusal.seconds, self.advance)

    def _failed(self, polled: Polled, error: Exception, *, foreseen: bool = False) -> None:
        """Say so once for each kind of failure, and leave the queue alone for a while."""
        self._counts.add("receive_failed")
        reason = broker.describe(error)
        with self._lock:
            is_news = polled.note_failure(reason)
            seconds = back_off(polled.failures, FIRST_BACK_OFF, LONGEST_BACK_OFF)
            polled.put_off(seconds, f"receiving fails: {reason}")
        self._timer.after(seconds, self.advance)
        if is_news:
            logger.error(
                "Cannot receive from %s: %s",
                polled.queue.physical,
                reason,
                exc_info=None if foreseen else error,
            )

    # The end of a poll

    def _release(self, poll: OpenPoll, slots: int) -> None:
        if self._watch.spend(poll, slots):
            self._slots.release(poll.polled.queue.consumer, slots)

    def _end(self, poll: OpenPoll) -> None:
        """Of a poll that has left the watch."""
        with self._lock:
            poll.polled.under_way -= 1
        self._slots.release(poll.polled.queue.consumer, poll.slots)

    def _give_up_overdue(self) -> None:
        """Let other threads poll in place of those that hang."""
        for poll in self._watch.give_up_overdue():
            self._counts.add("polls_given_up")
            self.trouble = (
                f"a poll of {poll.polled.queue.physical} hung for "
                f"{time.monotonic() - poll.since:.0f} s and was replaced"
            )
            logger.error("Given up waiting: %s", self.trouble)
            self._threads.replace_one()
            self._end(poll)
