"""Pauses: an operator stops a queue, a channel or an event type, and lets it go on.

A paused queue or channel is left alone, its messages stay in SQS. Messages of a paused event
type share their queues with others, so they are put off: back to the outbox, until it is
resumed. So are those of a paused announcement (`notifications.announcements`). Workers obey
within seconds (`notifications.switches`).
"""

from __future__ import annotations

from datetime import timedelta

from django.core.exceptions import ImproperlyConfigured
from django.db import router, transaction
from django.utils import timezone

from notifications import consumers, events, fallback_steps, switches, topology
from notifications.envelope import Envelope
from notifications.models import Announcement, Dispatch, Pause
from notifications.nudges import nudge

PUT_OFF = timedelta(hours=1)
"""What is put off comes by itself after this long, in case a pause was ended without us; each
time costs a row. `resume` does not wait for it."""


def pause(kind: Pause.Kind, name: str, *, by: str, reason: str = "") -> bool:
    """Stop it. False when it is stopped already. Raises ImproperlyConfigured for unknown names."""
    check(kind, name)
    paused = Pause.objects.pause(kind, name, by=by, reason=reason)
    switches.look_again()
    return paused


def resume(kind: Pause.Kind, name: str, *, by: str) -> tuple[bool, int]:
    """Let it go on: whether it was stopped, and how many messages put off are due now.

    Of a name that is no longer registered, too: its pause must not outlive it.
    """
    using = router.db_for_write(Pause)
    with transaction.atomic(using=using):
        resumed = Pause.objects.using(using).resume(kind, name, by=by)
        if not resumed:
            check(kind, name)
        pulled = _pull_forward(name, using) if kind is Pause.Kind.EVENT_TYPE else 0
    switches.look_again()
    return resumed, pulled


def put_off(envelope: Envelope, queue: str) -> bool:
    """Commit an order to put the event on `queue` (no prefix) once its type is resumed.

    False, and nothing done, when neither its type nor its announcement is paused any more.
    The caller deletes the message after this; when it dies before, the message comes again,
    and one of the two finds a duplicate.

    Race: `resume` may run now. The lock on the pause makes one of the two wait: either
    our row is committed before the others are pulled forward, or we see that it is over.
    """
    using = router.db_for_write(Pause)
    with transaction.atomic(using=using):
        if not _is_held(envelope, using):
            return False
        if envelope.foreign:
            fallback_steps.keep(envelope)
        Dispatch.objects.using(using).postpone(
            envelope, queue=queue, until=timezone.now() + PUT_OFF, reason=Dispatch.Reason.PAUSED
        )
    return True


def _is_held(envelope: Envelope, using: str) -> bool:
    paused, number = Announcement.State.PAUSED, envelope.announcement
    return Pause.objects.using(using).hold(Pause.Kind.EVENT_TYPE, envelope.type) or bool(
        number and Announcement.objects.using(using).hold(number, paused)
    )


def waiting(event_type: str) -> int:
    """How many messages of the type are put off."""
    return Dispatch.objects.put_off(event_type).count()


def names(kind: Pause.Kind) -> list[str]:
    """What can be paused: queues without the prefix, channels, or event types, in order."""
    match kind:
        case Pause.Kind.QUEUE:
            return sorted(queue.name for queue in queues())
        case Pause.Kind.CHANNEL:
            served = {consumer.channel for consumer in consumers.all_consumers()}
            return sorted(served - {""})
        case Pause.Kind.EVENT_TYPE:
            return sorted({kind.name for kind in events.all_event_types()})


def queues() -> list[topology.Queue]:
    """Those that workers poll, a consumer's own before its bulk queue."""
    polled = [
        queue for queue in topology.current().queues if queue.role is not topology.Role.DEAD_LETTERS
    ]
    return sorted(polled, key=lambda queue: (queue.consumer, queue.role is topology.Role.BULK))


def check(kind: Pause.Kind, name: str) -> None:
    """Raises ImproperlyConfigured, listing those there are, when nothing is named so."""
    there = names(kind)
    if name not in there:
        raise ImproperlyConfigured(
            f"No {kind.label} is named {name!r}; there are: {', '.join(there) or 'none'}."
        )


def _pull_forward(event_type: str, using: str) -> int:
    pulled = Dispatch.objects.using(using).pull_forward(event_type)
    if pulled:
        nudge(using)
    return pulled
