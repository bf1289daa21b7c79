"""A paused event type on a FIFO queue: its message stays there, and holds back its subject."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from notifications import envelope, pauses, switches
from notifications.models import Dispatch, Pause
from notifications.worker import hiding, reading
from notifications.worker.queues import PolledQueue
from notifications.worker.received import Received
from notifications.worker.unknown_events import UnknownEvents
from tests.integration.letters import letter

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _paused() -> Iterator[None]:
    pauses.pause(Pause.Kind.EVENT_TYPE, letter().type, by="ada", reason="wrong template")
    yield
    switches.look_again()


def read(*, fifo: bool, receives: int = 1, of: str = "email") -> reading.Reading:
    queue = PolledQueue(of, f"test-{of}", of, f"notifications.{of}", "dlq", 60, fifo=fifo)
    text = envelope.write(letter())
    received = Received(queue, "m", "h", text, receives, sent_at=0.0, first_received_at=0.0)
    return reading.read(received, UnknownEvents(60))


def test_it_is_looked_at_again_the_later_the_longer_it_has_waited() -> None:
    for receives in (1, 4):
        wait = reading.Wait(hiding.look_at_paused(receives))
        assert read(fifo=True, receives=receives) == wait
    assert not Dispatch.objects.exists()


def test_on_a_standard_queue_it_goes_back_to_the_outbox() -> None:
    assert isinstance(read(fifo=False), reading.PutOff)


def test_a_stopped_template_holds_its_own_channel_and_no_service() -> None:
    pauses.resume(Pause.Kind.EVENT_TYPE, letter().type, by="ada")
    pauses.pause(Pause.Kind.TEMPLATE, f"{letter().type}/email", by="ada", reason="wrong link")

    assert isinstance(read(fifo=False), reading.PutOff)
    assert isinstance(read(fifo=False, of="push"), reading.Run)
    assert isinstance(read(fifo=False, of="payments"), reading.Run)

    pauses.resume(Pause.Kind.TEMPLATE, f"{letter().type}/email", by="ada")
    assert isinstance(read(fifo=False), reading.Run)
