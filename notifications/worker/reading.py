"""Reading: what a message is, and so what is to be done with it before any task is asked."""

from __future__ import annotations

from dataclasses import dataclass

from notifications import announcement_states, consumers, switches
from notifications.dead_letters import Failure
from notifications.envelope import Envelope
from notifications.exceptions import NotAnEvent, UnknownEvent
from notifications.worker import hiding, translation
from notifications.worker.received import Received
from notifications.worker.unknown_events import UnknownEvents


@dataclass(frozen=True, slots=True)
class Run:
    """An event, for its task."""

    event: Envelope


@dataclass(frozen=True, slots=True)
class PutOff:
    """An event whose type, template or announcement an operator has paused: back to the outbox."""

    event: Envelope


@dataclass(frozen=True, slots=True)
class Wait:
    """An event to be looked at again: of a type that this worker does not know yet, or of a paused
    one on a FIFO queue."""

    seconds: float


@dataclass(frozen=True, slots=True)
class GiveUp:
    """No event, or one that nobody has come to know: for the dead letters."""

    failure: Failure


@dataclass(frozen=True, slots=True)
class PassOver:
    """Well-formed and none of our business: somebody else's message, say."""


Reading = Run | PutOff | Wait | GiveUp | PassOver


def read(received: Received, unknown: UnknownEvents) -> Reading:
    """Nothing that a body can hold makes it raise."""
    try:
        event = translation.read(received)
    except UnknownEvent as error:
        wait = unknown.wait(received, error)
        return Wait(wait) if wait else GiveUp(Failure.of(error, attempts=0))
    except NotAnEvent as error:
        return GiveUp(Failure.of(error, attempts=0))
    if event is None:
        return PassOver()
    channel = consumers.get(received.queue.consumer).channel
    paused = switches.look().puts_off(event.type, channel)
    if not paused and not announcement_states.is_paused(event):
        return Run(event)
    if received.queue.fifo:  # back in the outbox, its successors would overtake it
        return Wait(hiding.look_at_paused(received.receive_count))
    return PutOff(event)
