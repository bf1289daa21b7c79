"""The transport: kombu's SQS transport, with every call to SQS made in a thread by boto3.

`broker_url = "sqs://"` and `broker_transport = "notifications.worker.transport:Transport"`.
From kombu it keeps what makes it a transport (channels, consumers, messages); what is
overridden is held, signature by signature, by tests/unit/test_kombu_contract.py.

A message's way: the poller receives it in a thread and reads it there (what is no event
goes no further); the event loop hands it to Celery, which runs its task; the task's
request settles it: deleted, hidden for a while, or given up.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any, NoReturn

from celery.worker import state as worker_state
from kombu.transport import SQS, virtual

from notifications.dead_letters import Failure
from notifications.worker import broker, translation
from notifications.worker.consumption import Consumption
from notifications.worker.handoff import Handoff
from notifications.worker.queues import polled_queues
from notifications.worker.received import Received

logger = logging.getLogger(__name__)

_KombuChannel: Any = SQS.Channel  # kombu's stubs know little of it
RECEIVES_PER_QUEUE = 4
WAIT_AFTER_ERROR = 30
"""Seconds until a message comes again that could not be handed to its task."""


class QoS(SQS.QoS):
    """Keeps no account of messages: `Consumption` does, and gives them back itself."""

    restore_at_shutdown = False

    def append(self, message: Any, delivery_tag: str) -> None:
        pass

    def ack(self, delivery_tag: str) -> None:
        pass

    def reject(self, delivery_tag: str, requeue: bool = False) -> None:
        pass


class Channel(_KombuChannel):
    """One connection's channel. Only the one that consumes has a `consumption`.

    places: tells how many tasks the pool runs at once; known before it consumes.
    on_hung: called when a thread of the pool hangs.
    """

    QoS = QoS
    do_restore = False
    consumption: Consumption | None = None
    places: Callable[[], int] | None = None
    on_hung: Callable[[], None] = staticmethod(lambda: None)

    def basic_consume(
        self, queue: str, no_ack: bool, callback: Any, consumer_tag: str, *args: Any, **kwargs: Any
    ) -> None:
        """Start to receive the messages of the consumer named `queue`."""
        # Past kombu's own: it would create the queue and schedule its own polling.
        virtual.Channel.basic_consume(self, queue, False, callback, consumer_tag, **kwargs)
        self._consumption().watch(queue)

    def basic_cancel(self, consumer_tag: str) -> None:
        """Receive no more for this consumer; what has not begun is visible again at once."""
        queue = self._tag_to_queue.get(consumer_tag)
        virtual.Channel.basic_cancel(self, consumer_tag)
        if self.consumption is not None and queue is not None:
            self.consumption.leave(queue)

    def basic_qos(
        self, prefetch_size: int = 0, prefetch_count: int = 0, apply_global: bool = False
    ) -> None:
        super().basic_qos(prefetch_size, prefetch_count, apply_global)
        if self.consumption is not None:
            self.consumption.resize(self._prefetch)

    def basic_ack(self, delivery_tag: str, multiple: bool = False) -> None:
        if self.consumption is not None:
            self.consumption.done(delivery_tag)

    def basic_reject(self, delivery_tag: str, requeue: bool = False) -> None:
        """Celery's verdict on a message that it cannot run. Kombu would delete it."""
        if self.consumption is None:
            return
        if requeue:
            self.consumption.retry(delivery_tag, WAIT_AFTER_ERROR)
        else:
            self.consumption.give_up(delivery_tag, Failure(reason="rejected"))

    def close(self) -> None:
        """Give back what has not begun, flush what is decided, and wait for open polls."""
        if not self.closed and self.consumption is not None:
            self.consumption.close(patient=not worker_state.should_terminate)
            self._handoff.unregister(self.hub)
            self._handoff.close()
        super().close()

    def _consumption(self) -> Consumption:
        if self.consumption is None:
            options = self.connection.client.transport_options
            self._handoff: Handoff[Received] = Handoff(self._run)
            self._handoff.register(self.hub)
            self.consumption = Consumption(
                self._handoff.put,
                wait_seconds=options.get("wait_time_seconds", broker.LONGEST_WAIT),
                receives=options.get("receives_per_queue", RECEIVES_PER_QUEUE),
                places=self.places,
                on_hung=self.on_hung,
            )
            self.consumption.resize(self._prefetch)
        return self.consumption

    @property
    def _prefetch(self) -> int:
        """Messages to hold at least: two for each queue. Of these the idle ones tie up half; with
        less left over, a busy one would wait for the end of their long polls."""
        queues = sum(len(polled_queues(consumer)) for consumer in self._active_queues)
        return max(self.qos.prefetch_count or broker.BATCH, 2 * queues)

    def _run(self, received: Received) -> None:
        """On the event loop: give one message to Celery. Nothing may be raised into the loop."""
        callback = self.connection._callbacks.get(received.queue.consumer)
        if callback is None or received.event is None or self.consumption is None:
            return  # left meanwhile; the message has been given back
        try:
            callback(translation.task_message(received, received.event))
        except Exception:
            logger.exception("Message %s could not be started", received.message_id)
            self.consumption.retry(received.handle, WAIT_AFTER_ERROR)

    # The rest of kombu's SQS channel would call SQS on the event loop, or publish.

    def _update_queue_cache(self, queue_name_prefix: str) -> None:
        pass

    def _new_queue(self, queue: str, **kwargs: Any) -> str:
        return queue

    def _size(self, queue: str) -> int:
        return 0

    def _schedule_queue(self, queue: str) -> None:
        pass

    def _restore(self, message: Any, unwanted_delivery_info: Any = ()) -> None:
        pass

    def _put(self, queue: str, message: Any, **kwargs: Any) -> NoReturn:
        raise TypeError(
            f"No Celery message goes to the queue {queue!r}, which carries events only: "
            "record an event with notifications.outbox.record()."
        )

    def drain_events(
        self, timeout: float | None = None, callback: Any = None, **kwargs: Any
    ) -> NoReturn:
        raise RuntimeError("This transport needs an event loop: use the pool threads or prefork.")


class Transport(SQS.Transport):
    """Named by the `broker_transport` setting."""

    Channel = Channel
