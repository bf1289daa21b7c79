"""Besides readers, statistics want to know."""

from celery import shared_task
from django.db import transaction

from library.events import ReminderCounted
from notifications import outbox
from notifications.consumers import Consumer, register
from notifications.envelope import Envelope
from notifications.worker.task import EventTask

register(Consumer("statistics", task="library.statistics", wants=frozenset({"book.due"})))

counted: list[str] = []


@shared_task(bind=True, base=EventTask, name="library.statistics")
def statistics(self: EventTask, envelope: Envelope) -> None:
    """Count a reminder, and say that it was counted."""
    counted.append(envelope.subject)
    with transaction.atomic():
        outbox.record(ReminderCounted(loan_id=envelope.data["loan_id"]))
