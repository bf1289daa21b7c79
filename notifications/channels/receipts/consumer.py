"""The consumer of receipts: one queue for every provider, fed by a topic of its own.

SES, End User Messaging and WhatsApp publish to `<prefix>-receipts` (docs/receipts.md shows how to
point them at it); there is no public endpoint.
"""

from __future__ import annotations

from celery import shared_task

from notifications import receipts
from notifications.channels.consumers import TRIED
from notifications.channels.receipts.reader import read
from notifications.consumers import Consumer, Source, register
from notifications.envelope import Envelope
from notifications.worker.task import EventTask

NAME = "receipts"
SOURCE = Source(
    topic=NAME,
    read=read,
    publishers=(
        "ses.amazonaws.com",
        "sms-voice.amazonaws.com",
        "social-messaging.amazonaws.com",
    ),
)


@shared_task(name="notifications.receipts", **TRIED)
def take(self: EventTask, envelope: Envelope) -> None:
    receipts.take(envelope)


def register_receipts() -> None:
    """Register it, beside the channels."""
    register(Consumer(NAME, task=take.name, wants=frozenset(), source=SOURCE))
