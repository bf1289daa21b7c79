"""For the test suite of your shop: what you record is delivered in-process, on the memory channel.

No emulator, no worker, no relay, and no commit: it works inside Django's TestCase and
pytest-django's `db`, where nothing is ever committed. Only the provider is replaced: your
resolver, hooks, templates and consumers run as they do in production, and the rows are there.

    from django.test import TestCase
    from notifications.testing import deliver_in_process

    class Shipping(TestCase):
        def test_the_customer_is_told_where_the_parcel_is(self):
            order = an_order(email="ann@example.org")

            with deliver_in_process() as told:
                ship_order(order=order, tracking_code="1Z 42")

            (email,) = told.by("email")
            self.assertEqual(email.address, "ann@example.org")
            self.assertIn("1Z 42", email.text)
            self.assertEqual(told.deliveries.get(channel="sms").reason, "no_address")

        def test_a_refused_address_is_on_record(self):
            with deliver_in_process(raise_failures=False) as told:
                told.script("email", "refuse", code="MessageRejected")
                ship_order(order=an_order(), tracking_code="1Z 42")

            self.assertEqual(told.deliveries.get(channel="email").state, "failed")
            self.assertEqual(told.failures[0].error.code, "MessageRejected")

As a fixture, for tests that say themselves when to deliver:

    @pytest.fixture
    def told(db):
        with deliver_in_process() as told:
            yield told  # the test calls told.run()
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

from celery import current_app
from django.conf import settings
from django.db.models import Max, QuerySet
from django.db.models.functions import Now
from django.test import override_settings

from notifications import consumers, expansion, schedule
from notifications import envelope as wire
from notifications.channels.base import Attachment
from notifications.channels.memory import MemoryChannel
from notifications.conf import conf
from notifications.consumers import Consumer
from notifications.envelope import Envelope
from notifications.exceptions import NotificationError
from notifications.models import Delivery, Dispatch, Event, ScheduledEvent, wait

MOST_ROUNDS = 50
"""Consumers may record events of their own, which are delivered in the next round."""


@dataclass(frozen=True)
class Told:
    """One message as a provider would have been given it.

    subject: the subject line of an email, the title of a push. about: the event's subject
    ("order/7").
    """

    channel: str
    address: str
    subject: str
    text: str
    html: str
    event_type: str
    about: str
    attachments: tuple[Attachment, ...] = ()


@dataclass(frozen=True)
class Failure:
    """A consumer that raised one of `notifications.exceptions`; TransientError would be retried."""

    consumer: str
    event: Envelope
    error: NotificationError


class InProcess:
    """What was recorded, delivered and told since the block began."""

    def __init__(self, *, raise_failures: bool) -> None:
        self.messages: list[Told] = []
        self.events: list[Envelope] = []
        self.failures: list[Failure] = []
        self._raise_failures = raise_failures
        self._seen = Dispatch.objects.aggregate(last=Max("pk"))["last"] or 0

    def by(self, channel: str) -> list[Told]:
        """The messages of one channel, oldest first."""
        return [message for message in self.messages if message.channel == channel]

    @property
    def deliveries(self) -> QuerySet[Delivery]:
        """The delivery rows of the events so far, skipped and failed ones too."""
        return Delivery.objects.filter(event_id__in=[event.id for event in self.events])

    def script(self, channel: str, behaviour: str, **arguments: Any) -> None:
        """What the provider does next; the words are those of `notifications.channels.script`."""
        MemoryChannel.script(channel, behaviour, **arguments)

    def run(self) -> None:
        """Deliver what was recorded or announced since, and what that makes the consumers record,
        to the end.

        What is deferred or scheduled for a later time waits (`come_due`). A consumer's exception
        is raised as it is, or kept in `failures`, if it is one of ours and `raise_failures` is off.
        """
        try:
            for _ in range(MOST_ROUNDS):
                dispatches = self._take()
                if not dispatches:
                    return
                for dispatch in dispatches:
                    self._publish(dispatch)
        finally:
            self.messages = list(_messages())
        raise RuntimeError(
            f"After {MOST_ROUNDS} rounds the consumers still record events, the last of them "
            f"{self.events[-1].type}: does one of them record what it consumes?"
        )

    def come_due(self) -> None:
        """What waits for its recipient is due, and what is scheduled: `run` then tells a digest of
        what was collected, and records what was to be recorded later.

        By the clock it is what it was: quiet hours that are not over hold it back once more.
        """
        ScheduledEvent.objects.bring_forward()
        Delivery.objects.filter(state=Delivery.State.PENDING, reason__in=wait.WORDS).update(
            next_try_at=Now()
        )
        Dispatch.objects.filter(
            pk__gt=self._seen,
            state=Dispatch.State.WAITING,
            reason__in=[
                Dispatch.Reason.DIGEST,
                Dispatch.Reason.QUIET_HOURS,
                Dispatch.Reason.THROTTLED,
            ],
        ).update(available_at=Now())

    def _take(self) -> list[Dispatch]:
        expansion.advance(using=Dispatch.objects.db, go_on=lambda: True)
        schedule.record_due()
        due = Dispatch.objects.filter(
            pk__gt=self._seen, state=Dispatch.State.WAITING, available_at__lte=Now()
        )
        taken = list(due.select_related("event").order_by("pk"))
        Dispatch.objects.filter(pk__in=[dispatch.pk for dispatch in taken]).update(
            state=Dispatch.State.PUBLISHED, published_at=Now()
        )
        return taken

    def _publish(self, dispatch: Dispatch) -> None:
        """To each consumer, as the raw text that it would find on its queue."""
        event: Event | None = dispatch.event
        if event is None:
            return  # the redrive of a body that was no event: no consumer could read it
        envelope = event.envelope(generation=dispatch.generation)
        self.events.append(envelope)
        for consumer in _reached_by(dispatch, envelope):
            self._consume(consumer, envelope)

    def _consume(self, consumer: Consumer, envelope: Envelope) -> None:
        try:
            current_app.tasks[consumer.task](wire.write(envelope))
        except NotificationError as error:
            if self._raise_failures:
                raise
            self.failures.append(Failure(consumer.name, envelope, error))


@contextmanager
def deliver_in_process(*, raise_failures: bool = True) -> Iterator[InProcess]:
    """Deliver, at the end of the block or at `.run()`, the events that are recorded inside it.

    `raise_failures=False` keeps what consumers raise in `failures` instead: for tests of
    what happens when a provider refuses. Unforeseen exceptions are raised all the same.
    """
    channels = {
        name: replace(
            described, adapter=_path(MemoryChannel), options={"channel": name}, providers=()
        )
        for name, described in conf().channels.items()
    }
    MemoryChannel.reset()
    with override_settings(NOTIFICATIONS={**settings.NOTIFICATIONS, "CHANNELS": channels}):
        try:
            told = InProcess(raise_failures=raise_failures)
            yield told
            told.run()
        finally:
            MemoryChannel.reset()


def _reached_by(dispatch: Dispatch, envelope: Envelope) -> list[Consumer]:
    if dispatch.kind == Dispatch.Kind.QUEUE:
        return [consumers.get(dispatch.destination.removesuffix("-bulk"))]
    return [each for each in consumers.all_consumers() if each.takes(envelope.type)]


def _messages() -> Iterator[Told]:
    for channel in conf().channels:
        for message in MemoryChannel.outbox(channel):
            yield Told(
                channel=channel,
                address=message.address,
                subject=message.content.subject,
                text=message.content.text,
                html=message.content.html,
                event_type=message.event_type,
                about=message.subject,
                attachments=message.attachments,
            )


def _path(kind: type) -> str:
    return f"{kind.__module__}.{kind.__qualname__}"
