"""Strategy: how the worker's event loop turns a message into a task in the pool.

Celery's default decodes, tests for protocol 1, dates and rates for each message; ours know
none of these: `rate_limit` is the account's, not this worker's, and time is SQS's.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

from celery import signals
from celery.worker.state import task_reserved

from notifications.worker.request import Request
from notifications.worker.transport import Channel

logger = logging.getLogger(__name__)


def events(task: Any, app: Any, consumer: Any) -> Callable[..., None]:
    """The handler of one task's messages. Named by `EventTask.Strategy`."""
    received = signals.task_received
    hostname, eventer = consumer.hostname, consumer.event_dispatcher
    to_pool = consumer.on_task_request

    def handle(message: Any, body: Any, ack: Any, reject: Any, callbacks: Any) -> None:
        if not isinstance(message.channel, Channel):
            _refuse(message, task, reject)
            return
        request = Request(
            message,
            hostname=hostname,
            eventer=eventer,
            app=app,
            task=task,
            body=message.body,
            headers=message.headers,
            decoded=True,
        )
        if received.receivers:
            received.send(sender=consumer, request=request)
        task_reserved(request)
        to_pool(request)

    return handle


def _refuse(message: Any, task: Any, reject: Any) -> None:
    """A message of another broker, of a Celery app that only shares the process with us."""
    logger.error(
        "%s runs on events from SQS only; a Celery message for it was refused: record an event "
        "with notifications.outbox.record() instead",
        task.name,
    )
    reject()
