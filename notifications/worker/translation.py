"""Translation: what SQS gave becomes a Celery message for the task of that queue.

The right to send to a queue is not the right to run code: task, id and arguments are
ours whatever the body says, and a body that is no event never becomes a message.
"""

from __future__ import annotations

from typing import Any

from notifications import consumers, envelope
from notifications.envelope import Envelope
from notifications.exceptions import NotAnEvent, UnknownEvent
from notifications.identifiers import task_id
from notifications.worker.received import Received
from notifications.worker.turns import whose

NO_EMBED = {"callbacks": None, "errbacks": None, "chain": None, "chord": None}
"""The third part of a Celery message body (protocol 2): nothing is linked to an event."""


def read(received: Received) -> Envelope | None:
    """The event in the message, or what the consumer's own reader makes of it: None is that it
    is nothing to us. Raises UnknownEvent (hold it) or NotAnEvent (quarantine it)."""
    source = consumers.get(received.queue.consumer).source
    try:
        return envelope.read(received.body) if source is None else source.read(received.body)
    except (NotAnEvent, UnknownEvent):
        raise
    except Exception as error:  # noqa: BLE001 - a body must never stop the worker
        raise NotAnEvent(f"unreadable: {type(error).__name__}") from None


def task_message(received: Received, event: Envelope) -> dict[str, Any]:
    """The kombu payload: Celery's task message protocol 2, its one argument the event's text.

    The argument is kept with a failed task, so of a foreign body it holds only what our model
    knows: whatever else came with it, an address maybe, is nobody's to keep.
    https://docs.celeryq.dev/en/stable/internals/protocol.html
    """
    queue = received.queue
    as_sent = not (event.foreign or event.event_type.internal)
    text = received.body if as_sent else envelope.write(event)
    identity = str(task_id(event.id, queue.consumer, received.message_id))
    return {
        "body": ((text,), {}, NO_EMBED),
        "headers": {
            "lang": "py",
            "task": queue.task,
            "id": identity,
            "root_id": identity,
            "parent_id": None,
            "group": None,
            "retries": 0,
            "argsrepr": text,
            "kwargsrepr": "{}",
            "origin": queue.physical,
            "headers": {
                "consumer": queue.consumer,
                "queue": queue.name,
                "fifo": queue.fifo,
                "message_id": received.message_id,
                "receive_count": received.receive_count,
                "sent_at": received.sent_at,
                "traceparent": received.traceparent,
                "turn": None if received.turn is None else float(received.turn),
                "account": whose(received.turn),
                "probe": received.probe,
            },
        },
        "properties": {
            "correlation_id": identity,
            "delivery_tag": received.handle,
            "delivery_info": {
                "exchange": "",
                "routing_key": queue.name,
                "redelivered": received.receive_count > 1,
            },
        },
    }
