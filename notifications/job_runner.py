"""The relays' job runner: jobs that were begun on a page, or left to the relays, are run here.

A thread of each relay looks for them, and works at up to SIDE_BY_SIDE of them at once, each in a
thread: a job whose shop is slow to answer holds up no other. A job that has nothing to do (its
pace, the end of a stage) holds no thread. Of several relays one is at a job at a moment, by the
lock of its row; another takes the next step, or the first one again. So what a relay leaves behind
that dies is taken up by the others, or by the next that starts.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import suppress
from dataclasses import dataclass, field

from django.core.exceptions import ImproperlyConfigured
from django.db import connections, transaction

from notifications import jobs, undertakings
from notifications.exceptions import NotificationError
from notifications.jobs import LOOK
from notifications.models import Job
from notifications.outages import is_away
from notifications.work import Work

logger = logging.getLogger(__name__)

SIDE_BY_SIDE = 4
"""Jobs that one relay works at in one moment, each with a connection to the database."""

TURN = 1.0
"""Seconds for which a job is worked at, before another that waits has its turn."""

BURST = 20
"""Steps between two rests."""

GoOn = Callable[[], bool]


def advance(*, using: str, go_on: GoOn) -> int:
    """A relay's chore: run the jobs of the relays as long as there are any. How many turns."""
    with ThreadPoolExecutor(SIDE_BY_SIDE, "job") as pool:
        return _Runner(using, go_on, pool).run()


def _words(error: Exception) -> str:
    if isinstance(error, NotificationError):
        return error.message
    return str(error) if isinstance(error, ImproperlyConfigured) else type(error).__name__


@dataclass
class _Runner:
    using: str
    go_on: GoOn
    pool: ThreadPoolExecutor
    works: dict[int, Work] = field(default_factory=dict)
    due: dict[int, float] = field(default_factory=dict)
    """When each job is looked at again, on the monotonic clock."""
    at_work: dict[int, Future[float]] = field(default_factory=dict)

    def run(self) -> int:
        turns = 0
        while self.go_on():
            self._take_back()
            numbers = self._open()
            for number in sorted(numbers, key=lambda each: self.due.get(each, 0.0)):
                if self._may_begin(number):
                    self.at_work[number] = self.pool.submit(self._turn, number)
                    turns += 1
            if not numbers and not self.at_work:
                break
            if self.at_work:
                wait(self.at_work.values(), LOOK, FIRST_COMPLETED)
            else:
                time.sleep(LOOK)
        return turns

    def _open(self) -> list[int]:
        return list(Job.objects.using(self.using).for_relays().values_list("pk", flat=True))

    def _may_begin(self, number: int) -> bool:
        free = len(self.at_work) < SIDE_BY_SIDE and number not in self.at_work
        return free and time.monotonic() >= self.due.get(number, 0.0)

    def _take_back(self) -> None:
        """Raises what a turn raised: the database is away."""
        for number in [number for number, turn in self.at_work.items() if turn.done()]:
            self.due[number] = time.monotonic() + min(self.at_work.pop(number).result(), LOOK)

    def _turn(self, number: int) -> float:
        """Some steps of one job. For how long there is nothing to do then."""
        until = time.monotonic() + TURN
        pause = 0.0
        try:
            while not pause and time.monotonic() < until and self.go_on():
                for _ in range(BURST):
                    if pause := self._step(number):
                        break
        except Exception as error:
            if is_away(error):
                raise
            logger.exception("Job %d is stopped: somebody must look.", number)
            words = _words(error)
            with suppress(jobs.Refused):  # it has ended meanwhile
                jobs.halt(number, by="", why=f"by itself: {words}")
            pause = LOOK
        finally:
            connections.close_all()  # back to the pool, and what is broken leaves it
        return pause

    def _step(self, number: int) -> float:
        with transaction.atomic(using=self.using):
            job = Job.objects.using(self.using).held(number, wait=False)
            if job is None or job.state != Job.State.RUNNING or job.runner != Job.Runner.RELAY:
                return LOOK  # another relay is at it, or it is over
            if number not in self.works:
                self.works[number] = undertakings.work_of(job.kind)
            return jobs.step(self.works[number], job)
