"""Receipts: what providers say later about messages that they took, and what it changes.

A provider publishes to SNS, the `receipts` consumer reads its words
(`notifications.channels.receipts`), and this module takes them: the delivery is settled if it
was unknown, moves on if it was sent, and the attempt is told better. What people write back
travels with them.
"""

from __future__ import annotations

import logging
from datetime import datetime
from typing import Annotated, cast
from uuid import UUID, uuid5

from django.db import router, transaction
from django.utils import timezone
from pydantic import Field

from notifications import bounces, fallbacks, metrics, replies, spans
from notifications.conf import conf
from notifications.envelope import Envelope
from notifications.events import EventData, event
from notifications.exceptions import Busy
from notifications.identifiers import NAMESPACE
from notifications.models import Attempt, Delivery, Event, Receipt
from notifications.models.settlement import Word
from notifications.replies import Heard

TYPE = "delivery.receipt"

SHORTEST_WAIT = 1.0
"""Seconds until a receipt is looked at again that came before its sender had written the result."""

LONGEST_WAIT = 600.0
"""Seconds, however long the sender's lease: a message sleeps in SQS for 15 minutes at most, and a
receipt is no event that the outbox could keep for longer."""

_CAME_BACK = (Delivery.State.BOUNCED, Delivery.State.FAILED)

logger = logging.getLogger(__name__)

_Whole = Annotated[int, Field(ge=0, lt=2**31)]


class Told(EventData):
    """One receipt as it travels to the task: ids and codes, never an address.

    undated: its provider does not say when, so `occurred_at` is when it came.
    address_hash: of where the provider says it went, keyed; empty where it does not say.
    opted_out: whoever has that address wants no more of them, as the provider or a carrier knows.
    """

    delivery_id: UUID
    generation: _Whole
    number: _Whole
    provider: Annotated[str, Field(max_length=40)]
    provider_message_id: Annotated[str, Field(max_length=255)]
    kind: Receipt.Kind
    code: Annotated[str, Field(max_length=100)]
    detail: str
    occurred_at: datetime
    undated: bool = False
    address_hash: Annotated[str, Field(max_length=80)] = ""
    opted_out: bool = False

    @property
    def id(self) -> UUID:
        """Made from the provider's own words: the same however often it is said."""
        moment = "" if self.undated else self.occurred_at
        said = (self.provider, self.provider_message_id, self.kind, self.code, moment)
        tag = f"{self.delivery_id}.{self.generation}.{self.number}"
        return uuid5(NAMESPACE, "receipt:" + "|".join(map(str, (*said, tag))))

    @property
    def subject(self) -> str:
        return f"delivery/{self.delivery_id}"


@event(TYPE, subject="{subject}", internal=True)
class ReceiptsCame(EventData):
    """What one message of a provider said, about one attempt or several, and who wrote to us."""

    subject: str
    receipts: tuple[Told, ...] = ()
    heard: tuple[Heard, ...] = ()


def envelope_of(
    receipts: tuple[Told, ...] = (), *, subject: str, heard: tuple[Heard, ...] = ()
) -> Envelope:
    """How they travel to the task; the same id whenever the same is said. One at least."""
    said: list[Told | Heard] = [*receipts, *heard]
    came = ReceiptsCame(subject=subject, receipts=receipts, heard=heard)
    return Envelope(
        id=uuid5(NAMESPACE, "receipts:" + "|".join(str(each.id) for each in said)),
        type=TYPE,
        version=1,
        source=conf().source,
        subject=subject[:255] or said[0].subject,
        time=said[0].occurred_at,
        data=came.model_dump(mode="json"),
    )


def take(envelope: Envelope) -> None:
    """Settle what these receipts settle, and keep them; hear what people wrote.

    Raises Busy when the sender of one is still at it; the others are taken all the same, and
    taking them again changes nothing.
    """
    came = cast(ReceiptsCame, envelope.payload())
    waits = []
    for message in came.heard:
        replies.hear(message)
    for receipt in came.receipts:
        try:
            _take_one(receipt)
        except Busy as busy:
            waits.append(busy)
    if waits:
        raise min(waits, key=lambda busy: busy.seconds)


def _take_one(receipt: Told) -> None:
    with spans.span(
        f"receipt {receipt.kind}", delivery=receipt.delivery_id, provider=receipt.provider
    ) as span:
        if spans.is_on():
            span.link(_trace_of(receipt.delivery_id))
        _settle(receipt)


def _trace_of(delivery_id: UUID) -> str:
    """Of the event that was told. A receipt may come days later: it is a trace by itself."""
    events = Event.objects.filter(pk__in=Delivery.objects.filter(pk=delivery_id).values("event_id"))
    return events.values_list("traceparent", flat=True).first() or ""


def _settle(receipt: Told) -> None:
    word = Word(**{name: getattr(receipt, name) for name in Word.__dataclass_fields__})
    with transaction.atomic(using=router.db_for_write(Delivery)):
        settlement = Delivery.objects.settle_by_receipt(word)
        if settlement is None:
            logger.debug("a receipt of %s is about no delivery of ours", receipt.provider)
            return
        if settlement.seconds:
            raise _too_early(receipt, settlement.seconds)
        if settlement.forgotten:  # Race: its receipt came after the person was forgotten.
            word = word.of_nobody()
        Attempt.objects.tell_better(word)
        if Receipt.objects.keep(receipt.id, word, settlement):
            bounces.heed(receipt, settlement)  # said again, it does not undo who has lifted it
        if settlement.moved_to in _CAME_BACK:
            fallbacks.came_back([receipt.delivery_id], using=router.db_for_write(Delivery))
    if settlement.moved_to:
        metrics.record_delivery(settlement.channel, settlement.moved_to)
    if settlement.moved_to and settlement.moved_to not in _CAME_BACK:
        fallbacks.arrived(receipt.delivery_id)
    logger.info(
        "delivery %s: %s says %s %s%s",
        receipt.delivery_id,
        receipt.provider,
        receipt.kind,
        receipt.code,
        f", so it is {settlement.moved_to}" if settlement.moved_to else "",
    )


def _too_early(receipt: Told, lease: float) -> Busy:
    """Race: the provider was quicker than its answer to us, or than our writing it down.

    The longer ago it was said, the longer the next wait: a sender that died is waited for
    until its lease ends, in few receives.
    """
    age = (timezone.now() - receipt.occurred_at).total_seconds()
    seconds = min(max(age, SHORTEST_WAIT), max(lease, SHORTEST_WAIT), LONGEST_WAIT)
    return Busy(f"delivery {receipt.delivery_id} is being sent", seconds=seconds)
