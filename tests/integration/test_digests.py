"""Of several events somebody is told in one message, each event once."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from django.db.models.functions import Now
from django.utils import timezone

from notifications import digests, resend
from notifications.channels.base import Accepted, Message
from notifications.channels.memory import MemoryChannel
from notifications.conf import Digest, Route
from notifications.deliveries import deliver
from notifications.envelope import Envelope
from notifications.exceptions import OutcomeUnknown, PermanentError, TransientError
from notifications.models import Attempt, Delivery, DigestItem, DigestWindow, Dispatch, Event
from tests.integration.letters import ANN, BEN, POLICY, Town, letter
from tests.integration.together import all_at_once

pytestmark = pytest.mark.django_db(transaction=True)

State = Delivery.State
HOURLY = Digest("orders.hourly", window=timedelta(hours=1), most=5)


@pytest.fixture(autouse=True)
def told_by_the_hour(town: Town, settings: Any, tmp_path: Path) -> None:
    """Over email; over sms, each by itself."""
    settings.NOTIFICATIONS = {
        **settings.NOTIFICATIONS,
        "ROUTES": {"order.created": [Route("email", digest=HOURLY), Route("sms")]},
    }
    folder = tmp_path / "notifications" / HOURLY.name
    folder.mkdir(parents=True)
    (folder / "email.subject.txt").write_text("{{ count }} orders")
    (folder / "email.txt").write_text(
        "{% for item in items %}Order {{ item.data.order_id }}\n{% endfor %}"
    )


def happened(number: int, **given: Any) -> Envelope:
    """An event that is on record."""
    envelope = replace(letter(**given), subject=f"order/{number}", data={"order_id": number})
    Event.objects.keep(envelope)
    return envelope


def tell(envelope: Envelope, channel: str = "email") -> None:
    deliver(envelope, channel=channel, policy=POLICY, queue=channel)


def collect(*numbers: int) -> list[Envelope]:
    envelopes = [happened(number) for number in numbers]
    for envelope in envelopes:
        tell(envelope)
    return envelopes


def due(window: DigestWindow | None = None) -> Envelope:
    """What the dispatch of a digest brings to the queue when it is due."""
    window = window or DigestWindow.objects.latest("opened_at")
    return Event.objects.get(pk=window.pk).envelope()


def texts() -> list[str]:
    return [message.content.text for message in MemoryChannel.outbox("email")]


def of(envelope: Envelope) -> Delivery:
    return Delivery.objects.get(event_id=envelope.id, channel="email")


def test_what_is_collected_waits_and_one_dispatch_brings_the_digest() -> None:
    first, second = collect(1, 2)

    window = DigestWindow.objects.get()
    dispatch = Dispatch.objects.get()
    assert texts() == []
    for envelope in (first, second):
        waiting = of(envelope)
        assert (waiting.state, waiting.reason, waiting.attempts) == ("pending", "digest", 0)
        assert waiting.next_try_at == window.due_at
    assert (dispatch.reason, dispatch.kind, dispatch.destination) == ("digest", "queue", "email")
    assert dispatch.available_at == window.due_at
    assert dispatch.event_id == window.pk
    assert abs(window.due_at - timezone.now() - HOURLY.window) < timedelta(minutes=1)


def test_each_is_told_once_and_all_in_one_message() -> None:
    items = collect(1, 2, 3)

    tell(due())
    tell(due())
    for envelope in items:
        tell(envelope)

    assert texts() == ["Order 1\nOrder 2\nOrder 3"]
    assert MemoryChannel.outbox("email")[0].content.subject == "3 orders"
    assert {(each.state, each.reason) for each in map(of, items)} == {("sent", "in_digest")}
    assert of(due()).state == State.SENT
    assert DigestWindow.objects.get().settled_at
    assert Attempt.objects.count() == 1
