"""Starts: an event whose task kills or hangs the process is known by starts that have no end.

Each start of a message that was received before is committed before its task runs, and taken
back when the task ends in any way that the process lives to see. More than MOST_STARTS of
them, and the event is convicted: it becomes a dead letter before it runs again.

What else ran in a process that died has a start without an end as well. So that nobody is
convicted for the company it kept, an event with such a start is a suspect, and a process runs
one suspect at a time: of those that ran when it died, only one is a step nearer to conviction.
"""

from __future__ import annotations

import random
import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from uuid import UUID

from django.db import transaction

from notifications.envelope import Envelope
from notifications.exceptions import Busy, Poisoned
from notifications.models import Handled
from notifications.models.handled import Begun
from notifications.worker.database import UNAVAILABLE

MOST_STARTS = 3
"""Starts without an end; the one of the first receive, which is not counted, comes on top."""

FIRST_WAIT, LONGEST_WAIT = 5.0, 300.0
"""Seconds that a suspect waits at most for its turn; growing by half with each receive, of which
the queue's `maxReceiveCount` allows too few for short waits behind a task of many minutes."""

SUSPECT = "suspect"
"""The code of the Busy with which a suspect waits."""

_suspect_runs = threading.Lock()
_owed: deque[tuple[str, UUID]] = deque()


@contextmanager
def counted(consumer: str, envelope: Envelope, *, receives: int) -> Iterator[int]:
    """Around the run of a message that was received before; gives its failed attempts so far.

    Raises Poisoned instead of running what is convicted, and Busy when it is a suspect and
    another one runs.
    """
    _write_owed_ends()
    begun = Handled.objects.begin(consumer, envelope)
    if begun:
        with _ended(consumer, envelope):
            yield begun.attempts
    elif not _suspect_runs.acquire(blocking=False):
        wait = min(LONGEST_WAIT, FIRST_WAIT * 1.5 ** max(0, receives - MOST_STARTS - 1))
        raise Busy("runs alone, and another does", SUSPECT, random.uniform(1, wait))  # noqa: S311
    else:
        try:
            begun = _begin_suspect(consumer, envelope)
            with _ended(consumer, envelope):
                yield begun.attempts
        finally:
            _suspect_runs.release()


def _begin_suspect(consumer: str, envelope: Envelope) -> Begun:
    with transaction.atomic():
        begun = Handled.objects.begin_suspect(consumer, envelope)
        if begun.starts <= MOST_STARTS:
            return begun
        before = begun.starts - 1
        error = Poisoned(f"its task began {before} times and never ended: it kills its process")
        error.attempts = Handled.objects.mark_failed(consumer, envelope, error, uncounted=before)
        Handled.objects.ended(consumer, envelope.id)
    raise error


@contextmanager
def _ended(consumer: str, envelope: Envelope) -> Iterator[None]:
    try:
        yield
    except MemoryError:
        raise  # the message comes again, as after a death: see Request.on_failure
    except Exception:
        _end(consumer, envelope.id)
        raise
    else:
        try:
            Handled.objects.close_open(consumer, envelope)
        except UNAVAILABLE:
            _owed.append((consumer, envelope.id))
            raise


def _end(consumer: str, event_id: UUID) -> None:
    """Nothing is raised over the error that the task ended with."""
    try:
        Handled.objects.ended(consumer, event_id)
    except UNAVAILABLE:
        _owed.append((consumer, event_id))


def _write_owed_ends() -> None:
    """Those that the database was away for: an outage must not make suspects."""
    while _owed:
        try:
            owed = _owed.popleft()
        except IndexError:
            return  # another thread took the last one
        try:
            Handled.objects.ended(*owed)
        except UNAVAILABLE:
            _owed.append(owed)
            raise
