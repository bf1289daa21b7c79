"""A town where letters are delivered: hooks, settings and an adapter for tests of deliveries.

The events are the shop's (`order.created`); who lives here is the test's to say.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

from django.db.models.functions import Now

from notifications.channels.base import Accepted, ChannelAdapter, Message
from notifications.channels.memory import MemoryChannel
from notifications.conf import ChannelConf, Route
from notifications.deliveries import deliver
from notifications.envelope import Envelope
from notifications.identifiers import uuid7
from notifications.models import Delivery
from notifications.models.claim import ClaimRequest
from notifications.recipients import Recipient
from notifications.retries import RetryPolicy

ANN = Recipient("customer/1", "ann@example.org", locale="en")
BEN = Recipient("customer/2", "ben@example.org", locale="en")

POLICY = RetryPolicy(max_retries=2, backoff=10, backoff_max=600, jitter=False)
"""Three tries, 10 and 20 seconds apart."""

CHANNELS = ("email", "sms")


@dataclass
class Town:
    """What the hooks answer. untrue_of, nobody_of: of the event about that subject."""

    people: list[Recipient] = field(default_factory=lambda: [ANN])
    untrue: str | None = None
    untrue_of: dict[str, str] = field(default_factory=dict)
    nobody_of: set[str] = field(default_factory=set)
    words: Callable[[], dict[str, Any]] = dict
    on_send: Callable[[Message], Accepted] | None = None


town = Town()


def start_anew() -> Town:
    """The town as it was founded: Ann lives here, and nothing goes wrong."""
    vars(town).update(vars(Town()))
    MemoryChannel.reset()
    return town


def resolve(envelope: Envelope, route: Route) -> Iterable[Recipient]:
    return [] if envelope.subject in town.nobody_of else town.people


def context(envelope: Envelope, recipient: Recipient) -> dict[str, Any]:
    return town.words()


def no_longer_true(envelope: Envelope) -> str | None:
    return town.untrue or town.untrue_of.get(envelope.subject)


class Postman(ChannelAdapter):
    """The memory channel, except where the test says what happens on a send."""

    provider = "postman"
    gone = frozenset({"moved_away"})

    def __init__(self, channel: str) -> None:
        self._memory = MemoryChannel(channel)

    def check_address(self, address: str) -> None:
        self._memory.check_address(address)

    def send(self, message: Message) -> Accepted:
        return town.on_send(message) if town.on_send else self._memory.send(message)


def settings_of_the_town() -> dict[str, Any]:
    """The NOTIFICATIONS setting."""
    adapter = f"{__name__}.{Postman.__name__}"
    return {
        "PREFIX": "test",
        "CHANNELS": {name: ChannelConf(adapter, {"channel": name}) for name in CHANNELS},
        "ROUTES": {"order.created": [Route(name) for name in CHANNELS]},
        "RECIPIENTS": f"{__name__}.resolve",
        "CONTEXT": f"{__name__}.context",
        "STILL_TRUE": f"{__name__}.no_longer_true",
        "ADDRESS_HASH_KEYS": {1: "a secret of the tests"},
        "ENCRYPTION_KEYS": {1: "another secret of the tests"},
    }


def write_templates(directory: Path) -> list[dict[str, Any]]:
    """The TEMPLATES setting, with one short template for each part in `directory`."""
    folder = directory / "notifications" / "order.created"
    folder.mkdir(parents=True)
    (folder / "email.subject.txt").write_text("Order {{ data.order_id }}")
    (folder / "email.txt").write_text("Thank you for order {{ data.order_id }}.")
    (folder / "sms.txt").write_text("Order {{ data.order_id }} is in.")
    backend = "django.template.backends.django.DjangoTemplates"
    return [{"BACKEND": backend, "DIRS": [directory]}]


def request_for(event: Envelope) -> ClaimRequest:
    """What a worker asks for before it tells Ann by email."""
    return ClaimRequest.of(
        event,
        channel="email",
        route=Route("email"),
        recipient=ANN,
        lease=timedelta(seconds=30),
        task_id=None,
        worker="",
    )


def letter(*, generation: int = 0, age: timedelta = timedelta()) -> Envelope:
    """An event to tell about, `age` old."""
    return Envelope(
        id=uuid7(),
        type="order.created",
        version=1,
        source="urn:test",
        subject="order/7",
        time=datetime.now(UTC) - age,
        data={"order_id": 7},
        generation=generation,
    )


def tell(envelope: Envelope, channel: str = "email", *, task_id: UUID | None = None) -> None:
    """What a worker does with one message. task_id: the same for a message that comes again."""
    deliver(envelope, channel=channel, policy=POLICY, task_id=task_id or uuid7(), worker="w@host")


def come_due() -> None:
    """The wait before the next try is over."""
    Delivery.objects.update(next_try_at=Now())


def lapse() -> None:
    """The lease of whoever is sending is over."""
    Delivery.objects.filter(state=Delivery.State.SENDING).update(lease_until=Now())
