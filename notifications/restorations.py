"""Restorations: the database was put back to a backup, and has forgotten what was done since.

The providers and the customers have not. So after `manage.py restored` workers judge each message
about the time of which nothing is known (`docs/decisions/0050`):

- What lay in SQS all the while and nobody had received was done by nobody: it is done now.
- Of anything else it is *doubted* whether it has been done. A channel holds it, as unknown, for a
  person; a service does it, and asks its provider first (`is_doubted`).
- An event of ours that is not in our tables was recorded after the backup: it is *lost*. It is
  kept, and its message becomes a dead letter, for the order that it is about is lost with it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Any

from django.db import Error, OperationalError, connections, router
from django.db.models import Min, Q

from notifications.envelope import Envelope
from notifications.exceptions import PermanentError
from notifications.glance import Glance
from notifications.models import Dispatch, Event, Restoration

_cause: ContextVar[datetime | None] = ContextVar("restoration", default=None)


class EventLost(PermanentError):
    """An event of ours that was recorded after the backup from which the database was restored."""

    default_code = "event_lost"


@contextmanager
def judged(envelope: Envelope, headers: Mapping[str, Any] | None) -> Iterator[None]:
    """The task of this message runs within. headers: of its Celery message; none: called by hand.

    Raises EventLost, and OperationalError while nobody knows whether there was a restoration.
    """
    covering = _covering(envelope) if headers else []
    if not headers or not covering or envelope.event_type.internal:
        yield
        return
    _refuse_lost(envelope)
    doubted = doubt(
        covering,
        sent_at=datetime.fromtimestamp(headers["sent_at"], UTC),
        receives=headers["receive_count"],
        ordered_at=_ordered_at(envelope, headers["queue"]),
    )
    token = _cause.set(envelope.time if doubted else None)
    try:
        yield
    finally:
        _cause.reset(token)


def is_doubted() -> bool:
    """Whether what this task is about may have been done before, by a process whose notes are gone.

    Ask it before an effect that no transaction takes back, and look at the provider's.
    """
    return _cause.get() is not None


def not_after_its_cause(time: datetime) -> datetime:
    """When an event happened that is recorded now: if its cause is doubted, no later than that.

    So it is doubted too: a payment that was found at the provider has been told already.
    """
    cause = _cause.get()
    return time if cause is None else min(time, cause)


def doubt(
    covering: Iterable[Restoration],
    *,
    sent_at: datetime,
    receives: int,
    ordered_at: datetime | None,
) -> bool:
    """Whether a message is doubted by one of the restorations whose time its event is of.

    sent_at, receives: by SQS's clock and count. ordered_at: when a person had it sent once more;
    None: nobody did. What was ordered before may have been done, whenever it is published.
    """
    for restoration in covering:
        never_received = sent_at < restoration.untouched_before and receives <= 1
        ordered_since = ordered_at is not None and ordered_at >= restoration.at
        if not never_received and not ordered_since:
            return True
    return False


def look_again() -> None:
    """The next look reads the database: this process has just written there."""
    _view.age()


def _covering(envelope: Envelope) -> list[Restoration]:
    known = _view.look()
    if known is None:  # "none" would tell everybody twice: the message waits
        raise OperationalError("whether the database was restored could not be read")
    return [each for each in known if each.covers_since <= envelope.time < each.at]


def _ordered_at(envelope: Envelope, queue: str) -> datetime | None:
    if not envelope.generation:
        return None
    of_it = Q(event=envelope.id) | Q(event=None)  # redriven as it came: it is not in our tables
    orders = Dispatch.objects.filter(
        of_it, subject=envelope.subject, destination=queue, generation=envelope.generation
    )
    ordered_at: datetime | None = orders.aggregate(at=Min("created_at"))["at"]
    return ordered_at


def _refuse_lost(envelope: Envelope) -> None:
    """A redrive brings it on: by then somebody has restored what it is about."""
    if envelope.foreign or envelope.generation:
        return
    kept = Event.objects.keep(envelope, forgotten=True)
    if kept or Event.objects.filter(pk=envelope.id, foreign=True).exists():
        raise EventLost("recorded after the backup that the database was restored from")


def _read() -> tuple[Restoration, ...]:
    """Leaves the thread's connection as it found it, as `notifications.switches.read` does."""
    connection = connections[router.db_for_write(Restoration)]
    was_open = connection.connection is not None
    try:
        return tuple(Restoration.objects.using(connection.alias).order_by("-at"))
    except Error:
        was_open = connection.in_atomic_block
        raise
    finally:
        if not was_open:
            connection.close()


_view: Glance[tuple[Restoration, ...] | None] = Glance(_read, nothing=None, name="restorations")
