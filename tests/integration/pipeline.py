"""The pipeline without its queues: each message is handed to its consumer's task by a test.

So a test says in which order, and how often. What the consumers record is on its way at once; the
channels' providers are in memory, the payment provider is the sandbox.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from celery import current_app

from notifications import consumers
from notifications import envelope as wire
from notifications.envelope import Envelope
from notifications.exceptions import NotificationError
from notifications.local.providers.client import Charge
from notifications.models import Dispatch
from notifications.testing import InProcess
from orders_site.customers.models import Customer
from orders_site.demo.manifest import PROMISE, Call
from orders_site.demo.rush import contact_of
from orders_site.orders.models import Order

MOST_ROUNDS = 60
"""After which what still fails is taken for failing for ever."""


@dataclass
class Letter:
    """One message on one consumer's queue. done: its task ended well, once at least."""

    consumer: str
    event: Envelope
    done: bool = False

    @property
    def line(self) -> tuple[str, str]:
        """Those behind which it waits where order is kept."""
        return self.consumer, self.event.subject


class Pipeline:
    """Everything that is under way. `fifo`: nothing overtakes what is of the same subject."""

    def __init__(self, *, fifo: bool) -> None:
        self._fifo = fifo
        self.letters: list[Letter] = []

    def under_way(self) -> list[Letter]:
        """The messages that may be delivered now, those of new events too."""
        self._publish()
        waiting = [letter for letter in self.letters if not letter.done]
        if not self._fifo:
            return waiting
        first: dict[tuple[str, str], Letter] = {}
        for letter in waiting:
            first.setdefault(letter.line, letter)
        return list(first.values())

    def deliver(self, letter: Letter) -> None:
        """To its task, as the raw text that it would find on its queue. If that fails, it is under
        way as before: tried again, or dead and redriven."""
        task = current_app.tasks[consumers.get(letter.consumer).task]
        try:
            task(wire.write(letter.event))
        except NotificationError:
            return
        letter.done = True

    def again(self, number: int) -> None:
        """A message that was done comes once more, as SQS may have it."""
        done = [letter for letter in self.letters if letter.done]
        if done:
            self.deliver(done[number % len(done)])

    def drain(self, *, backwards: bool) -> None:
        """Until nothing is under way."""
        for _ in range(MOST_ROUNDS):
            letters = self.under_way()
            if not letters:
                return
            for letter in reversed(letters) if backwards else letters:
                self.deliver(letter)
        left = [f"{letter.consumer}: {letter.event.type}" for letter in self.under_way()]
        raise AssertionError(f"never done: {', '.join(left)}")

    def _publish(self) -> None:
        """What the relay does: to each consumer that wants it, a message of its own."""
        waiting = Dispatch.objects.filter(state=Dispatch.State.WAITING).order_by("pk")
        for dispatch in waiting.select_related("event"):
            assert dispatch.event is not None
            event = dispatch.event.envelope(generation=dispatch.generation)
            self.letters += [
                Letter(consumer.name, event)
                for consumer in consumers.all_consumers()
                if consumer.takes(event.type)
            ]
            dispatch.state = Dispatch.State.PUBLISHED
            dispatch.save(update_fields=["state"])


def told(messages: InProcess) -> Counter[Call]:
    """How often each message was given to its provider."""
    return Counter(
        Call(each.about, each.event_type, each.channel, each.address) for each in messages.messages
    )


def promised(charges: Iterable[Charge]) -> tuple[Counter[Call], Counter[Call]]:
    """How often each must have been told; and how often it may have been, about an order that was
    cancelled then or later, or about a refund of one whose card was declined then or later."""
    answers = {charge.reference: charge.status for charge in charges}
    must, may = Counter[Call](), Counter[Call]()
    for order in Order.objects.select_related("customer"):
        subject = f"order/{order.pk}"
        for event_type in _told_of(order, answers.get(subject, "")):
            over = order.state == Order.State.CANCELLED and event_type != "order.cancelled"
            over |= event_type == "order.refunded" and answers.get(subject) == "declined"
            (may if over else must).update(_calls(subject, event_type, order.customer))
    return must, may


def _told_of(order: Order, answer: str) -> Iterator[str]:
    """What happened to it, by the order itself and by the payment provider's answer."""
    yield "order.created"
    if answer:
        yield "payment.completed" if answer == "succeeded" else "payment.failed"
    if order.shipped_at:
        yield "order.shipped"
    for _ in order.refunds.all():
        yield "order.refunded"
    if order.cancelled_at:
        yield "order.cancelled"


def _calls(subject: str, event_type: str, customer: Customer) -> Iterator[Call]:
    contact = contact_of(customer)
    for channel in PROMISE[event_type]:
        for address in contact.addresses.get(channel, ()):
            yield Call(subject, event_type, channel, address)
