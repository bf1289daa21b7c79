"""Housekeeping: what has to be done now and then, by whichever relay comes to it first.

Threads of the relay, so that no second scheduler has to be run, watched and kept alone: Celery's
beat has no lock, and two of them do everything twice. Each chore takes an advisory lock for as
long as it works, so any number of relays share it. A shop adds its own (`notifications.chores`).
"""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from threading import Event, Thread

from django.db import connections

from notifications import (
    connection_budget,
    digests,
    expansion,
    job_runner,
    keeper,
    minutes,
    objectives,
    progress,
    reputation,
    retention,
    schedule,
    throughput,
)
from notifications.aws.errors import AWS_ERRORS
from notifications.chores import Chore, all_chores
from notifications.exceptions import NotificationError
from notifications.metrics import emf
from notifications.outages import DATABASE_AWAY, leave_replica

logger = logging.getLogger(__name__)

KEEP_EVERY = 5.0
"""Seconds between two looks into the dead-letter queues: seventeen thousand requests a day for
each queue and relay, which is a cent."""

UNDELIVERED_EVERY = 60.0
"""Seconds between two looks for what SNS could not deliver: where that happens, somebody has taken
a queue or a right away, and nothing comes by itself."""

SWEEP_EVERY = 60.0
"""Seconds between two looks for what has been kept for long enough."""

SETTLE_EVERY = 30.0
"""Seconds between two looks for digests that ended without their sender's word."""

STEP, SLOW_STEP, GIVE_WAY = 0.01, 0.5, 1.0
"""Seconds: the rest between two steps of a chore; while the relay publishes; and for how long after
it found something to publish. One thread at work takes a third of the relay's speed otherwise."""

_OUTAGES = (*DATABASE_AWAY, *AWS_ERRORS, NotificationError)
"""What says enough in one line."""


OWN = (
    Chore("keeping dead letters", KEEP_EVERY, keeper.drain),
    Chore("keeping what SNS could not deliver", UNDELIVERED_EVERY, keeper.drain_undelivered),
    Chore("looking how far consumers are", progress.LOOK_EVERY, progress.remember),
    Chore("watching what comes back", reputation.LOOK_EVERY, reputation.watch),
    Chore("adding up the minutes", minutes.EVERY, throughput.roll_up),
    Chore("measuring objectives", minutes.EVERY, objectives.roll_up),
    Chore("settling digests", SETTLE_EVERY, digests.settle_all),
    Chore("counting connections", connection_budget.LOOK_EVERY, connection_budget.watch),
)
"""In one thread, with those of the shop."""

RETENTION = Chore("deleting what is over", SWEEP_EVERY, retention.sweep)
"""In a thread of its own: where there is much to delete it takes minutes, and the others go on."""

SCHEDULE = Chore("recording what is due", schedule.LOOK_EVERY, schedule.record_due)
EXPANSION = Chore("expanding announcements", 1.0, expansion.advance)
JOBS = Chore("running jobs", 1.0, job_runner.advance)
TELLING = Chore("telling CloudWatch", emf.LOOK_EVERY, emf.tell_fleet)
PROMPT = (SCHEDULE, EXPANSION, JOBS, TELLING)
"""Each in a thread of its own, and at full speed while the relay publishes, for they cannot wait.
A minute of which CloudWatch is told nothing wakes somebody."""


class Housekeeping:
    """The chores, in one thread. `stop` lets the one under way finish its step, `close` waits.

    chores: ours and those registered, if not given.
    """

    def __init__(self, using: str, chores: Sequence[Chore] | None = None) -> None:
        self._using = using
        self._due = dict.fromkeys((*OWN, *all_chores()) if chores is None else chores, 0.0)
        self._in_trouble: set[Chore] = set()
        self._stopped = Event()
        self._give_way_until = 0.0
        self._thread = Thread(target=self._run, name="housekeeping", daemon=True)

    @property
    def chores(self) -> tuple[Chore, ...]:
        return tuple(self._due)

    def start(self) -> None:
        self._thread.start()

    def give_way(self) -> None:
        """The relay has work: the chore goes slowly for a while."""
        self._give_way_until = time.monotonic() + GIVE_WAY

    def stop(self) -> None:
        self._stopped.set()

    def close(self) -> None:
        self.stop()
        if self._thread.ident is not None:
            self._thread.join()

    def _run(self) -> None:
        while not self._stopped.is_set():
            for chore, due in list(self._due.items()):
                if time.monotonic() >= due and not self._stopped.is_set():
                    self._do(chore)
                    self._due[chore] = time.monotonic() + chore.every
            self._stopped.wait(max(min(self._due.values()) - time.monotonic(), 0.0))

    def _go_on(self) -> bool:
        """Between two steps of a chore: a rest, longer while the relay publishes. False: stop."""
        slowly = time.monotonic() < self._give_way_until
        return not self._stopped.wait(SLOW_STEP if slowly else STEP)

    def _do(self, chore: Chore) -> None:
        """No error ends the housekeeping; what lasts is said once."""
        try:
            chore.run(using=self._using, go_on=self._go_on)
        except Exception as error:
            if isinstance(error, DATABASE_AWAY):
                leave_replica(error)
            if chore not in self._in_trouble:
                self._in_trouble.add(chore)
                logger.warning(
                    "%s failed (%s); trying on every %.0f s.",
                    chore.name.capitalize(),
                    f"{type(error).__name__}: {error}".partition("\n")[0],
                    chore.every,
                    exc_info=None if isinstance(error, _OUTAGES) else error,
                )
        else:
            if chore in self._in_trouble:
                self._in_trouble.remove(chore)
                logger.warning("%s works again.", chore.name.capitalize())
        finally:
            connections.close_all()  # back to the pool, and what is broken leaves it
