"""One consumer, whose task does nothing, and so keeps no inbox either."""

from celery import shared_task

from notifications.consumers import Consumer, register
from notifications.envelope import Envelope
from notifications.worker.task import EventTask

CONSUMER = register(
    Consumer("empty", task="bench.empty", wants=frozenset({"bench.ordered"}), inbox=False)
)


@shared_task(base=EventTask, name=CONSUMER.task)
def empty(envelope: Envelope) -> None:
    """Nothing."""
