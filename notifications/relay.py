"""The relay: the only one that publishes. Claims due dispatches, puts them on topics and queues.

Any number of relays run side by side. Each claims rows with a lease and a token, commits
that, publishes outside any transaction, and marks every row by its own result. A relay
that dies leaves its rows to the others; what it had published by then goes out twice,
which consumers make harmless.
"""

from __future__ import annotations

import logging
import socket
import time
from collections import defaultdict
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta
from multiprocessing.connection import wait as wait_for
from threading import Lock
from typing import cast

from django.db import connections, router
from django.db.backends.postgresql.base import DatabaseWrapper
from django.utils import timezone

from notifications import metrics, spans, topology
from notifications.aws.batches import Outcome
from notifications.connection_pool import lend_connection
from notifications.housekeeping import PROMPT, RETENTION, Housekeeping
from notifications.models import Dispatch
from notifications.models.dispatch import LEASE, LONGEST_BACK_OFF
from notifications.nudges import Listener
from notifications.outages import DATABASE_AWAY
from notifications.publish_spans import published
from notifications.publishing import PUBLISHERS, Batch, Prepared, in_order, prepare
from notifications.pulse import Pulse

logger = logging.getLogger(__name__)

SWEEP = 1.0
ALERT_POLL = 0.05
ALERT_FOR = 2.0
"""Seconds. A relay at rest looks once per SWEEP; for ALERT_FOR after it was woken or found
something, every ALERT_POLL: nudges are throttled, and work rarely comes alone."""

ROWS = 80
"""Claimed at a time: as many as the publishers carry at once."""

LOOP_PATIENCE = 120.0
"""Seconds within which the loop comes round. A batch may take nearly as long: when SNS refuses its
content, each of its ten entries goes by itself, with the time-outs of a call."""

FIRST_PAUSE, LONGEST_PAUSE = 0.1, 5.0
"""Seconds for which a topic or queue is left alone whose calls fail, doubled at each. Likewise
between two tries while the database is away."""

SEVERAL = 3
"""Calls that fail one after the other are no hiccup any more."""

BELIEVED = LONGEST_BACK_OFF + 2 * LONGEST_PAUSE
"""Seconds. What failed is tried again within them, if no other relay has had more luck with it."""


@dataclass
class Tally:
    """What this relay has done; its publishing threads add to it."""

    published: int = 0
    failed: int = 0
    last_error: str = ""
    _lock: Lock = field(default_factory=Lock, repr=False)

    def add(self, *, published: int, errors: dict[int, str]) -> None:
        with self._lock:
            self.published += published
            self.failed += len(errors)
            self.last_error = next(iter(errors.values()), self.last_error)


class Brake:
    """Leaves alone what no call gets through to: failed rows would only be counted up."""

    def __init__(self) -> None:
        self._failures = 0
        self._until = self._failed_at = 0.0
        self._lock = Lock()

    @property
    def seconds(self) -> float:
        """How long to wait before the next call."""
        return max(self._until - time.monotonic(), 0.0)

    @property
    def is_stuck(self) -> bool:
        """Whether several calls failed in a row, the last of them lately."""
        lately = time.monotonic() - self._failed_at < BELIEVED
        return self._failures >= SEVERAL and lately

    def call_ended(self, *, got_through: bool) -> None:
        with self._lock:
            if got_through:
                self._failures, self._until = 0, 0.0
            elif not self.seconds:  # calls that failed side by side are one failure
                self._failures += 1
                self._failed_at = time.monotonic()
                self._until = self._failed_at + _pause(self._failures)


class Relay:
    """One relay process. `run()` returns after `stop()`, or when `once` and nothing is due.

    rows: how many to claim at a time; publishers: how many batches are in flight;
    lease: how long a claimed row is ours; sweep: seconds between two looks while at rest;
    report_every: seconds between progress lines.
    """

    def __init__(
        self,
        *,
        once: bool = False,
        rows: int = ROWS,
        publishers: int = PUBLISHERS,
        lease: timedelta = LEASE,
        sweep: float = SWEEP,
        report_every: float = 10.0,
    ) -> None:
        self.tally = Tally()
        self.pulse = Pulse(LOOP_PATIENCE)
        self._brake = Brake()  # of all calls together
        self._brakes: defaultdict[str, Brake] = defaultdict(Brake)
        """By place. One that fails (a queue that was deleted, say) holds up no other."""
        self._once = once
        self._rows = rows
        self._publishers = publishers
        self._lease = lease
        self._sweep_every = sweep
        self._report_every = report_every
        self._using = router.db_for_write(Dispatch)
        self._housekeeping = [Housekeeping(self._using), Housekeeping(self._using, [RETENTION])]
        self._prompt = [Housekeeping(self._using, [chore]) for chore in PROMPT]
        self._stopping = False
        self._in_flight: set[Future[None]] = set()
        self._alert_until = self._sweep_at = self._report_at = 0.0
        self._outage = 0
        # A signal handler may write to a socket, while setting a threading.Event could
        # wait for a lock that the interrupted thread holds.
        self._wake, self._bell = socket.socketpair()
        self._wake.setblocking(False)
        self._bell.setblocking(False)

    @property
    def is_stuck(self) -> bool:
        """Whether nothing that it publishes gets through, as far as it knows."""
        return self._brake.is_stuck

    def stop(self) -> None:
        """Finish what is in flight, give back the rest, return. Safe in a signal handler."""
        self._stopping = True
        self._ring()

    def run(self) -> Tally:
        """Publish until stopped. What it cannot reach is waited for, and said once."""
        listener = Listener(self._using)
        if not self._once:
            for thread in (*self._housekeeping, *self._prompt):
                thread.start()
        try:
            with ThreadPoolExecutor(self._publishers, "publisher") as pool:
                try:
                    self._publish_until_stopped(pool, listener)
                finally:  # beside the calls in flight, all at once: their times must not add up
                    for thread in (*self._housekeeping, *self._prompt):
                        thread.stop()
        finally:
            for thread in (*self._housekeeping, *self._prompt):
                thread.close()
            listener.close()
            self._wake.close()
            self._bell.close()
        return self.tally

    def _publish_until_stopped(self, pool: ThreadPoolExecutor, listener: Listener) -> None:
        while not self._stopping:
            self.pulse.turn()
            self._wait_for_room()
            try:
                with self.pulse.excused():
                    found = self._pass(pool)
                    self._report()
                    lend_connection()  # to the publishers: the pool may have no other
            except DATABASE_AWAY as error:
                self._lose_database(error)
                continue
            self._find_database()
            if found:
                self._alert_until = time.monotonic() + ALERT_FOR
                for thread in self._housekeeping:
                    thread.give_way()
            elif self._once and not self._wait_for_in_flight():
                return
            if not self._once:
                with self.pulse.excused():  # the listener may connect to the database
                    self._rest(listener, found=found)

    def _pass(self, pool: ThreadPoolExecutor) -> int:
        """Claim, prepare, hand over: the number of rows found due."""
        if time.monotonic() >= self._sweep_at:
            self._sweep()
        until = time.monotonic() + self._lease.total_seconds() / 2
        claimed = Dispatch.objects.claim(
            self._rows, lease=self._lease, in_order=in_order(), left_alone=list(self._left_alone())
        )
        prepared = prepare(claimed)
        self._refuse(claimed, prepared)
        for batch in prepared.batches:
            self._in_flight.add(pool.submit(self._work_off, batch, until))
        return len(claimed)

    def _wait_for_room(self) -> None:
        """Until a publisher is free, so that no row waits claimed for long."""
        self._forget_finished()
        while len(self._in_flight) >= self._publishers:
            wait(self._in_flight, SWEEP, return_when=FIRST_COMPLETED)
            self._forget_finished()
            self.pulse.turn()

    def _wait_for_in_flight(self) -> bool:
        """Until all is out. Whether there was anything: a FIFO successor may be due now."""
        there_was = bool(self._in_flight)
        wait(self._in_flight)
        self._forget_finished()
        return there_was

    def _forget_finished(self) -> None:
        for future in [future for future in self._in_flight if future.done()]:
            self._in_flight.remove(future)
            if (error := future.exception()) is not None:
                logger.error(
                    "A batch failed; its rows are due again in %s.", self._lease, exc_info=error
                )

    def _sweep(self) -> None:
        self._sweep_at = time.monotonic() + self._sweep_every
        if abandoned := Dispatch.objects.take_back_abandoned():
            logger.warning("%d rows of a relay that died are due again.", abandoned)

    def _left_alone(self) -> dict[str, float]:
        """The places whose calls fail, and for how many seconds more. With `once`, none: each row
        has its one try."""
        brakes = {} if self._once else self._brakes.copy()
        return {place: brake.seconds for place, brake in brakes.items() if brake.seconds}

    def _refuse(self, claimed: list[Dispatch], prepared: Prepared) -> None:
        """In one statement, and said once for each reason: all that waited for a queue which is
        declared no more may be among them."""
        by_error: defaultdict[str, list[Dispatch]] = defaultdict(list)
        for dispatch in claimed:
            if error := prepared.refused.get(dispatch.pk):
                by_error[error].append(dispatch)
        for error, alike in by_error.items():
            several = f" and {len(alike) - 1} more" if len(alike) > 1 else ""
            logger.error("Dispatch %d%s cannot be published: %s", alike[0].pk, several, error)
            for dispatch in alike:
                metrics.record_publish_failures(_known(dispatch.destination), 1)
        if by_error and (token := claimed[0].token):
            Dispatch.objects.back_off(token, prepared.refused)
            self.tally.add(published=0, errors=prepared.refused)

    def _work_off(self, batch: Batch, until: float) -> None:
        """One batch, in a publishing thread. Given back when its lease could end meanwhile."""
        try:
            if self._stopping or time.monotonic() > until:
                Dispatch.objects.release(batch.token, batch.ids)
            else:
                with spans.about(queue=batch.physical):
                    with self.pulse.at(f"a call for {batch.physical}"):
                        outcome = published(batch)
                    self._record(batch, outcome)
        except DATABASE_AWAY as error:
            logger.warning(
                "%d rows for %s could not be marked (%s): they are due again in %s.",
                len(batch.entries),
                batch.physical,
                type(error).__name__,
                self._lease,
            )
        finally:
            connections.close_all()  # back to the pool, and what is broken leaves it
            if batch.fifo:
                self._ring()

    def _record(self, batch: Batch, outcome: Outcome) -> None:
        published = {int(row): message_id for row, message_id in outcome.published.items()}
        errors = {int(row): error for row, error in outcome.failed.items()}
        self.tally.add(published=len(published), errors=errors)
        for brake in (self._brake, self._brakes[batch.place]):
            brake.call_ended(got_through=outcome.got_through)
        if published:
            metrics.record_published(batch.destination, len(published))
            Dispatch.objects.mark_published(batch.token, published)
        if errors:
            metrics.record_publish_failures(batch.destination, len(errors))
            Dispatch.objects.back_off(batch.token, errors)
            logger.warning(
                "%d of %d for %s failed: %s",
                len(errors),
                len(batch.entries),
                batch.physical,
                next(iter(errors.values())),
            )

    def _rest(self, listener: Listener, *, found: int) -> None:
        """Until a nudge, a stop, or the next look."""
        if found:
            return
        if left_alone := self._left_alone():
            # Not for a nudge: most are of what is left alone, and each look reads past all of it.
            self._wait(min(SWEEP, *left_alone.values()))
            return
        alert = time.monotonic() < self._alert_until
        if listener.wait(ALERT_POLL if alert else self._sweep_every, or_for=self._wake):
            self._alert_until = time.monotonic() + ALERT_FOR
        self._hush()

    def _wait(self, seconds: float) -> None:
        """For so long, or until the bell rings."""
        wait_for([self._wake], seconds)
        self._hush()

    def _hush(self) -> None:
        with suppress(BlockingIOError):
            self._wake.recv(1024)

    def _ring(self) -> None:
        with suppress(OSError):  # full: it is awake; closed: it is gone
            self._bell.send(b"!")

    def _lose_database(self, error: Exception) -> None:
        """Said once, waited for. Alone with `once`, there is nobody to wait for."""
        if self._once:
            raise error
        if not self._outage:
            logger.warning("The database is unreachable (%s); trying on.", type(error).__name__)
        self._outage += 1
        connection = cast(DatabaseWrapper, connections[self._using])
        connection.close()
        # A pool tries again ever more rarely, up to minutes apart; a new one tries at once.
        connection.close_pool()
        self._wait(_pause(self._outage))

    def _find_database(self) -> None:
        if self._outage:
            self._outage = 0
            logger.warning("The database is back.")

    def _report(self) -> None:
        """One line per interval: what went out, and how far behind we are."""
        if not logger.isEnabledFor(logging.INFO) or time.monotonic() < self._report_at:
            return
        self._report_at = time.monotonic() + self._report_every
        oldest = Dispatch.objects.oldest_due()
        lag = (timezone.now() - oldest).total_seconds() if oldest else 0.0
        logger.info(
            "published %d, failed %d, lag %.1f s", self.tally.published, self.tally.failed, lag
        )


def _known(destination: str) -> str:
    """As a label: a row may name what was a topic or a queue once."""
    layout = topology.current()
    names = {*(topic.name for topic in layout.topics), *(queue.name for queue in layout.queues)}
    return destination if destination in names else metrics.OTHER


def _pause(times: int) -> float:
    return min(FIRST_PAUSE * 2.0 ** min(times - 1, 30), LONGEST_PAUSE)
