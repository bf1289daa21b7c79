"""The schedule: events that are to be recorded at a moment to come, unless they are called off.

    schedule.add(ReviewDue(order_id=17), at=shipped_at + timedelta(days=7))
    schedule.call_off("order/17", "order.review_due")  # it came back

Until then there is no event: nobody is waited for, and nothing is late. When it is due, a relay
records it as having happened at that moment, and it goes the way of any other.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import datetime, timedelta

from django.db import router, transaction
from django.db.models import Min
from django.utils import timezone
from django.utils.translation import gettext

from notifications import audit, events, outages, outbox, topology
from notifications.advisory import lock_for_transaction
from notifications.exceptions import EventRefused, NewerEvent, NotificationError, UnknownEvent
from notifications.models import Dispatch, ScheduledEvent
from notifications.models.scheduled_event import ScheduledEventQuerySet
from notifications.redaction import redact

LOOK_EVERY = 1.0
"""Seconds between two looks of each relay."""

AT_ONCE = 100
"""Recorded in one transaction."""

PAUSE = timedelta(minutes=1)
"""Between two looks at such a one."""

MAX_KEY = 100

LOCK = "notifications/schedule"

logger = logging.getLogger(__name__)


def add(data: events.EventData, *, at: datetime, key: str = "") -> int:
    """Have this fact recorded at `at` (aware; when that is over: at once). Its number.

    In the caller's transaction, as `outbox.record`. Of one type, about one subject, under one
    `key`, one waits: adding it again moves it, so a task that runs twice schedules once. Raises
    OutsideTransaction, and EventRefused naming the wrong field.
    """
    using = router.db_for_write(ScheduledEvent)
    outbox.insist_on_transaction("add()", using)
    kind = events.type_of(data)
    if not isinstance(at, datetime) or timezone.is_naive(at):
        raise EventRefused(f"{kind.name} v{kind.version}: at: must be a timezone-aware datetime")
    if len(key) > MAX_KEY:
        raise EventRefused(f"{kind.name} v{kind.version}: key: give at most {MAX_KEY} characters")
    for problem in outbox.unstorable(key, "key"):
        raise EventRefused(f"{kind.name} v{kind.version}: {problem}")
    event = outbox.event_of(kind, outbox.validated(kind, data), at)
    return ScheduledEvent.objects.using(using).add(
        event_type=event.type,
        version=event.version,
        subject=event.subject,
        key=key,
        data=event.data,
        due_at=at,
    )


def call_off(subject: str, *event_types: str, key: str | None = None) -> int:
    """Record none of these any more: how many there were. No types: whatever is scheduled about
    the subject. key: only the one of that key. Raises UnknownEvent for a type that is none."""
    rows = ScheduledEvent.objects.using(router.db_for_write(ScheduledEvent))
    found = rows.filter(subject=subject)
    if event_types:
        found = found.filter(event_type__in=[events.newest(name).name for name in event_types])
    if key is not None:
        found = found.filter(key=key)
    return found.call_off()


def call_off_one(number: int, *, by: str, reason: str) -> str:
    """By an operator. Why it was not done; empty when it was."""
    return _move("call_off", number, lambda rows: rows.call_off(by=by), by=by, reason=reason)


def bring_forward(number: int, *, by: str, reason: str) -> str:
    """Record it now, also one that could not be. Why it was not done; empty when it was."""
    return _move("bring_forward", number, lambda rows: rows.bring_forward(), by=by, reason=reason)


def why_not(row: ScheduledEvent | None) -> str:
    """Why nothing can be done about it any more; empty when something can."""
    if row is None:
        return gettext("there is no such scheduled event")
    if row.state in ScheduledEvent.OPEN:
        return ""
    return gettext("it is %(state)s") % {"state": row.get_state_display()}


def oldest_due() -> datetime | None:
    """Since when the longest-waiting of all that should be out is due: of what is to be published,
    and of what is to be recorded."""
    scheduled = ScheduledEvent.objects.due().aggregate(oldest=Min("look_at"))["oldest"]
    return min(filter(None, (scheduled, Dispatch.objects.oldest_due())), default=None)


def record_due(*, using: str = "", go_on: Callable[[], bool] = lambda: True) -> int:
    """Record what is due; how many events. Any number of relays may do so: side by side, or where
    a topic keeps the order, one after the other."""
    using = using or router.db_for_write(ScheduledEvent)
    keeps_order = any(topic.fifo for topic in topology.current().topics)
    recorded, full = 0, True
    while full and go_on():
        with transaction.atomic(using=using):
            if keeps_order and not lock_for_transaction(LOCK, using=using):
                break
            due = ScheduledEvent.objects.using(using).due()
            rows = list(due.select_for_update(skip_locked=True)[:AT_ONCE])
            done = [row.pk for row in rows if _record(row, using)]
            ScheduledEvent.objects.using(using).mark_recorded(done)
        recorded, full = recorded + len(done), len(rows) == AT_ONCE
    return recorded


def _move(
    verb: str,
    number: int,
    move: Callable[[ScheduledEventQuerySet], object],
    *,
    by: str,
    reason: str,
) -> str:
    using = router.db_for_write(ScheduledEvent)
    rows = ScheduledEvent.objects.using(using).filter(pk=number)
    with transaction.atomic(using=using):
        before = rows.select_for_update().first()
        if refused := why_not(before):
            return refused
        move(rows)
        after = rows.get()
        audit.record(
            f"scheduled_event.{verb}",
            by=by,
            reason=reason,
            target=after,
            before=_facts(before),
            after=_facts(after),
        )
    return ""


def _facts(row: ScheduledEvent | None) -> dict[str, str]:
    return {"state": row.state, "due_at": row.due_at.isoformat()} if row else {}


def _record(row: ScheduledEvent, using: str) -> bool:
    """Whether it is an event now. What is wrong with one costs no other."""
    try:
        with transaction.atomic(using=using):
            kind = events.event_type(row.event_type, row.version)
            outbox.record(kind.parse(row.data), time=row.due_at)
    except (UnknownEvent, NewerEvent) as error:
        if timezone.now() < max(row.due_at, row.created_at) + events.UNKNOWN_HELD:
            ScheduledEvent.objects.using(using).put_off(row.pk, error.message, PAUSE)
        else:
            _refuse(row, error.message, using)
        return False
    except NotificationError as error:
        _refuse(row, error.message, using)
        return False
    except Exception as error:  # the shop's own validators
        if outages.is_away(error):
            raise
        logger.exception("Scheduled event %d raised", row.pk)
        _refuse(row, f"{type(error).__name__}: {error}", using)
        return False
    return True


def _refuse(row: ScheduledEvent, error: str, using: str) -> None:
    """It is kept for a person: to bring it forward when it is mended, or call it off."""
    said = redact(error)
    logger.warning("Scheduled event %d (%s) could not be recorded: %s", row.pk, row, said)
    ScheduledEvent.objects.using(using).refuse(row.pk, said)
