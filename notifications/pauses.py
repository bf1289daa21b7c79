"""Pauses: an operator stops a queue, a channel, a provider, an event type or a template of it, and
lets it go on.

A paused queue or channel is left alone, its messages stay in SQS. Of a channel with several
providers one may be paused: the others take its messages. Messages of a paused event type, or of
one whose template over a channel ("order.created/email") is paused, share their queues with
others, so they are put off: back to the outbox, until it is resumed. So are those of a paused
announcement (`notifications.announcements`). Workers obey within seconds
(`notifications.switches`).
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.core.exceptions import ImproperlyConfigured
from django.db import router, transaction
from django.utils import timezone
from django.utils.translation import gettext

from notifications import (
    audit,
    consumers,
    digests,
    events,
    fallback_steps,
    providers,
    switches,
    topology,
)
from notifications.envelope import Envelope
from notifications.models import Announcement, Dispatch, Pause
from notifications.nudges import nudge
from notifications.redaction import redact

PUT_OFF = timedelta(hours=1)
"""What is put off comes by itself after this long, in case a pause was ended without us; each
time costs a row. `resume` does not wait for it."""

_RUNNING, _PAUSED = {"state": "running"}, {"state": "paused"}


def pause(kind: Pause.Kind, name: str, *, by: str, reason: str = "") -> bool:
    """Stop it. False when it is stopped already. Raises ImproperlyConfigured for unknown names."""
    check(kind, name)
    using = router.db_for_write(Pause)
    with transaction.atomic(using=using):
        paused = Pause.objects.using(using).pause(kind, name, by=by, reason=redact(reason))
        if paused:
            states = {"before": _RUNNING, "after": _PAUSED}
            _audit("pause", kind, name, by=by, reason=reason, **states)
    switches.look_again()
    return paused


def resume(kind: Pause.Kind, name: str, *, by: str, reason: str = "") -> tuple[bool, int]:
    """Let it go on: whether it was stopped, and how many messages put off are due now.

    Of a name that is no longer registered, too: its pause must not outlive it.
    """
    using = router.db_for_write(Pause)
    with transaction.atomic(using=using):
        pauses = Pause.objects.using(using)
        held = pauses.in_force().filter(kind=kind, name=name).first()
        resumed = pauses.resume(kind, name, by=by)
        if not resumed:
            check(kind, name)
        pulled = _pull_forward(kind, name, using)
        if resumed:
            why = {"by": held.paused_by, "reason": redact(held.reason)} if held else {}
            states = {"before": {**_PAUSED, **why}, "after": {**_RUNNING, "due": pulled}}
            _audit("resume", kind, name, by=by, reason=reason, **states)
    switches.look_again()
    return resumed, pulled


def put_off(envelope: Envelope, queue: str) -> bool:
    """Commit an order to put the event on `queue` (no prefix) once its type is resumed.

    False, and nothing done, when none of its type, its template and its announcement is paused any
    more.
    The caller deletes the message after this; when it dies before, the message comes again,
    and one of the two finds a duplicate.

    Race: `resume` may run now. The lock on the pause makes one of the two wait: either
    our row is committed before the others are pulled forward, or we see that it is over.
    """
    using = router.db_for_write(Pause)
    with transaction.atomic(using=using):
        if not _is_held(envelope, queue, using):
            return False
        if envelope.foreign:
            fallback_steps.keep(envelope)
        Dispatch.objects.using(using).postpone(
            envelope, queue=queue, until=timezone.now() + PUT_OFF, reason=Dispatch.Reason.PAUSED
        )
    return True


def _is_held(envelope: Envelope, queue: str, using: str) -> bool:
    pauses, number = Pause.objects.using(using), envelope.announcement
    channel = consumers.channel_of(topology.current().queue(queue).consumer)
    return (
        pauses.hold(Pause.Kind.EVENT_TYPE, envelope.type)
        or pauses.hold(Pause.Kind.TEMPLATE, f"{envelope.type}/{channel}")
        or bool(
            number and Announcement.objects.using(using).hold(number, Announcement.State.PAUSED)
        )
    )


def waiting(event_type: str, channel: str = "") -> int:
    """How many messages of the type are put off, over this channel or at all."""
    return Dispatch.objects.put_off(event_type, queues_of(channel) if channel else None).count()


def waiting_for(kind: Pause.Kind, name: str) -> int:
    """How many messages a resume of this would pull forward."""
    if kind not in Pause.PUTTING_OFF:
        return 0
    event_type, _, channel = name.partition("/")
    return waiting(event_type, channel)


def names(kind: Pause.Kind) -> list[str]:
    """What can be paused, in order: queues without the prefix, channels, event types, templates
    ("order.created/email"), or accounts of providers."""
    match kind:
        case Pause.Kind.QUEUE:
            return sorted(queue.name for queue in queues())
        case Pause.Kind.CHANNEL:
            served = {consumer.channel for consumer in consumers.all_consumers()}
            return sorted(served - {""})
        case Pause.Kind.EVENT_TYPE:
            return sorted({kind.name for kind in events.all_event_types()})
        case Pause.Kind.TEMPLATE:
            told = digests.told_routes().items()
            return sorted({f"{name}/{route.channel}" for name, routes in told for route in routes})
        case Pause.Kind.PROVIDER:
            each = consumers.all_consumers()
            return sorted({name for one in each for name in providers.accounts_of(one)})


def queues() -> list[topology.Queue]:
    """Those that workers poll, a consumer's own before its bulk queue."""
    polled = [queue for queue in topology.current().queues if not queue.role.is_grave]
    return sorted(polled, key=lambda queue: (queue.consumer, queue.role is topology.Role.BULK))


def queues_of(channel: str) -> list[str]:
    """The names of the queues on which a channel's messages travel."""
    serving = {each.name for each in consumers.all_consumers() if each.channel == channel}
    return [queue.name for queue in queues() if queue.consumer in serving]


def check(kind: Pause.Kind, name: str) -> None:
    """Raises ImproperlyConfigured, listing those there are, when nothing is named so."""
    there = names(kind)
    if name not in there:
        raise ImproperlyConfigured(
            gettext("No %(kind)s is named %(name)r; there are: %(known)s.")
            % {"kind": kind.label, "name": name, "known": ", ".join(there) or gettext("none")}
        )


def _audit(verb: str, kind: Pause.Kind, name: str, **about: Any) -> None:
    audit.record(f"{kind.value}.{verb}", target=f"{kind.replace('_', ' ')} {name}", **about)


def _pull_forward(kind: Pause.Kind, name: str, using: str) -> int:
    if kind not in Pause.PUTTING_OFF:
        return 0
    event_type, _, channel = name.partition("/")
    dispatches = Dispatch.objects.using(using)
    pulled = dispatches.pull_forward(event_type, queues_of(channel) if channel else None)
    if pulled:
        nudge(using)
    return pulled
