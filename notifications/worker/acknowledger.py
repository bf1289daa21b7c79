"""Acknowledger: deletes messages and changes their visibility, ten at a time, from threads."""

from __future__ import annotations

import logging
import math
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from notifications.worker import broker
from notifications.worker.backoff import back_off
from notifications.worker.broker import Answer, Change
from notifications.worker.counts import Counts
from notifications.worker.received import Received
from notifications.worker.threads import Threads, Timer

logger = logging.getLogger(__name__)

DELAY = 0.05
"""Seconds that a batch waits for its other nine."""

FIRST_BACK_OFF, LONGEST_BACK_OFF = 0.2, 10.0
TRIES = 8
"""About 30 s in all. A message whose deletion never gets through comes again, and is known then."""

_SENDERS = 6  # 10 ms to SQS and back: six threads delete 6,000 messages a second

_Key = tuple[str, bool]  # the queue, and whether it is deletion


@dataclass(slots=True)
class _Batch:
    """What waits to be sent together, since when (monotonic seconds)."""

    changes: list[Change] = field(default_factory=list)
    since: float = field(default_factory=time.monotonic)


class Acknowledger:
    """Collects changes per queue; a batch goes at ten messages or after DELAY.

    An expired handle is no error: somebody else holds the message now. What is decided of a
    message while its extension is under way waits for SQS's answer: overtaken by the extension, a
    back-off would be undone.
    """

    def __init__(self, counts: Counts) -> None:
        self._counts = counts
        self._lock = threading.Lock()
        self._open: defaultdict[_Key, _Batch] = defaultdict(_Batch)
        self._looked_after: set[_Key] = set()
        self._parked: dict[str, Change] = {}
        self._closing = False
        self._threads = Threads("acknowledge", _SENDERS)
        self._timer = Timer("acknowledge-timer")

    def delete(self, received: Received) -> None:
        """The message is done with."""
        self._add(Change(received))

    def hide(self, received: Received, seconds: float) -> None:
        """Let the message come again in `seconds`; 0 is at once."""
        self._add(Change(received, seconds=math.ceil(seconds)))

    def give_back(self, messages: Iterable[Received]) -> None:
        """Make messages visible at once, for another worker."""
        for received in messages:
            self.hide(received, 0)
        self.flush()

    def extend(self, batch: Sequence[tuple[Received, int]]) -> tuple[list[Answer], str]:
        """Hide messages of one queue, marked `extending`, for so many seconds more, here and now:
        an answer for each, and what went wrong. Takes the mark off."""
        changes = [Change(received, seconds) for received, seconds in batch]
        try:
            return self._ask(broker.hide, batch[0][0].queue.physical, changes)
        finally:
            self._unpark([received for received, _ in batch])

    def flush(self) -> None:
        """Send what is collected, now."""
        with self._lock:
            keys = list(self._open)
        for key in keys:
            self._send_open(key)

    def close(self, seconds: float) -> None:
        """Send everything, and wait up to `seconds` for the answers."""
        with self._lock:
            self._closing = True
        self._timer.close()
        self.flush()
        if not self._threads.wait_until_idle(seconds):
            logger.error("Acknowledgements were still under way after %d s", seconds)
        self._threads.close()

    def _add(self, change: Change) -> None:
        key = (change.received.queue.physical, change.seconds is None)
        with self._lock:
            if change.received.extending:
                self._parked[change.received.handle] = change
                return
            changes = self._open[key].changes
            changes.append(change)
            full = len(changes) >= broker.BATCH or self._closing
            alone = not full and key not in self._looked_after
            if alone:
                self._looked_after.add(key)
        if full:
            self._send_open(key)
        elif alone:
            self._timer.after(DELAY, lambda: self._look_after(key))

    def _look_after(self, key: _Key) -> None:
        """Send what has waited long enough; a batch that was begun since has its own DELAY."""
        with self._lock:
            batch = self._open.get(key)
            wait = batch.since + DELAY - time.monotonic() if batch else 0.0
            again = wait > 0 and not self._closing  # closed, the timer would ask at once, for ever
            if not again:
                self._looked_after.discard(key)
        if again:
            self._timer.after(wait, lambda: self._look_after(key))
        else:
            self._send_open(key)

    def _send_open(self, key: _Key) -> None:
        with self._lock:
            batch = self._open.pop(key, None)
        changes = batch.changes if batch else []
        for start in range(0, len(changes), broker.BATCH):
            self._submit(key, changes[start : start + broker.BATCH], tries=0)

    def _submit(self, key: _Key, batch: list[Change], tries: int) -> None:
        self._threads.submit(lambda: self._send(key, batch, tries))

    def _send(self, key: _Key, batch: list[Change], tries: int) -> None:
        physical, deletion = key
        verb = "delete" if deletion else "hide"
        answers, reason = self._ask(broker.delete if deletion else broker.hide, physical, batch)
        for answer in answers:
            self._counts.add(f"{verb}_{answer.value}")
        failed = [
            change for change, answer in zip(batch, answers, strict=True) if answer is Answer.FAILED
        ]
        if failed:
            self._try_again(key, failed, tries + 1, reason)

    @staticmethod
    def _ask(
        call: Callable[[str, Sequence[Change]], list[Answer]],
        physical: str,
        changes: Sequence[Change],
    ) -> tuple[list[Answer], str]:
        try:
            answers = call(physical, changes)
        except broker.FAILURES as error:
            return [Answer.FAILED] * len(changes), broker.describe(error)
        failed = Answer.FAILED in answers
        return answers, "SQS failed single entries of the batch" if failed else ""

    def _unpark(self, messages: Sequence[Received]) -> None:
        with self._lock:
            for received in messages:
                received.extending = False
            parked = [self._parked.pop(each.handle, None) for each in messages]
        for change in parked:
            if change is not None:
                self._add(change)

    def _try_again(self, key: _Key, failed: list[Change], tries: int, reason: str) -> None:
        what = f"{'delete' if key[1] else 'change the visibility of'} {len(failed)} messages"
        if tries >= TRIES:
            logger.error("Could not %s of %s, %d times: %s", what, key[0], tries, reason)
            return
        logger.warning("Could not %s of %s, trying again: %s", what, key[0], reason)
        wait = back_off(tries, FIRST_BACK_OFF, LONGEST_BACK_OFF)
        if self._closing:
            time.sleep(min(wait, 1.0))  # in a thread of its own; the timer is closed
            self._submit(key, failed, tries)
        else:
            self._timer.after(wait, lambda: self._submit(key, failed, tries))
