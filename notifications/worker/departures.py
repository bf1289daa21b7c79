"""Departures: messages that leave their queue for the dead letters or for the outbox, in threads.

A message is deleted only once it has arrived there; a crash between leaves it in both places.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import Any

from django.db import connection

from notifications import announcement_states, dead_letters, metrics, pauses, switches
from notifications.dead_letters import Failure, Letter, Refused
from notifications.identity import Identity, identify
from notifications.worker import broker
from notifications.worker.acknowledger import Acknowledger
from notifications.worker.counts import Counts
from notifications.worker.received import Received
from notifications.worker.threads import Threads

logger = logging.getLogger(__name__)

WAIT_UNTAKEN = 60
"""Seconds until a message is looked at again that neither place would take."""

_THREADS = 4


class Departures:
    """on_gone: called in a thread when a message is settled, wherever it went."""

    def __init__(
        self, acknowledger: Acknowledger, counts: Counts, on_gone: Callable[[Received], None]
    ) -> None:
        self._acknowledger = acknowledger
        self._counts = counts
        self._on_gone = on_gone
        self._threads = Threads("depart", _THREADS)

    def to_dead_letters(
        self, received: Received, failure: Failure, first: Callable[[], None] | None = None
    ) -> None:
        """It has failed for good; `first` is called in the thread before."""
        self._threads.submit(lambda: self._bury(received, failure, first))

    def to_outbox(self, received: Received) -> None:
        """Its type, or its announcement, is paused: it comes again as a dispatch."""
        self._threads.submit(lambda: self._put_off(received))

    def close(self, seconds: float) -> None:
        """Wait up to `seconds` for those under way."""
        self._threads.wait_until_idle(seconds)
        self._threads.close()

    def _bury(self, received: Received, failure: Failure, first: Callable[[], None] | None) -> None:
        try:
            if first is not None:
                first()
            dead_letters.bury(letter_of(received, failure), _send)
        except Exception:
            logger.exception("Message %s could not be given up", received.message_id)
            self._counts.add("not_given_up")
            self._acknowledger.hide(received, WAIT_UNTAKEN)
        else:
            self._counts.add("given_up")
            metrics.record_dead_letter(received.queue.consumer, failure.reason)
            self._acknowledger.delete(received)
        finally:
            self._gone(received)

    def _put_off(self, received: Received) -> None:
        try:
            put_off = received.event and pauses.put_off(received.event, received.queue.name)
        except Exception:
            logger.exception("Message %s could not be put off", received.message_id)
            self._counts.add("not_put_off")
            self._acknowledger.hide(received, WAIT_UNTAKEN)
        else:
            if put_off:
                self._counts.add("put_off")
                self._acknowledger.delete(received)
            else:
                switches.look_again()  # resumed a moment ago
                announcement_states.look_again()
                self._acknowledger.hide(received, 0)
        finally:
            self._gone(received)

    def _gone(self, received: Received) -> None:
        connection.close()  # this thread belongs to no task, after which Celery would
        self._on_gone(received)


def letter_of(received: Received, failure: Failure) -> Letter:
    """The message as it came, with what it says of itself and why it is given up."""
    event = Identity.of(received.event) if received.event else identify(received.body)
    return Letter(
        queue=received.queue.name,
        dead_letters=received.queue.dead_letters,
        message_id=received.message_id,
        body=received.body,
        failure=failure,
        first_seen=dead_letters.moment(received.first_received_at or received.sent_at),
        attributes={
            name: {
                key: value[key]
                for key in ("DataType", "StringValue", "BinaryValue")
                if key in value
            }
            for name, value in received.attributes.items()
        },
        group=received.group,
        generation=event.generation,
        event_id=event.event_id,
        event_type=event.event_type,
        subject=event.subject,
    )


def _send(letter: Letter, attributes: Mapping[str, Any]) -> None:
    try:
        broker.send(
            letter.dead_letters,
            letter.body,
            attributes,
            group=letter.group,
            key=f"{letter.message_id}.{letter.generation}",
        )
    except broker.FAILURES as error:
        said = broker.describe(error)
        raise (Refused if broker.is_refusal(error) else OSError)(said) from error
