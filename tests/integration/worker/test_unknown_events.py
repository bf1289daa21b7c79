"""An event of a type that this deployment does not know."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest

from notifications import consumers
from notifications.consumers import Consumer
from notifications.worker.consumption import Consumption
from notifications.worker.received import Received
from tests.integration.worker.conftest import Probes
from tests.waiting import wait_for

UNKNOWN = '{"event_type":"probe.vanished","timestamp":"2026-11-27T06:00:00Z"}'


@pytest.fixture
def delivered(probes: Probes, request: pytest.FixtureRequest) -> Iterator[list[Received]]:
    """What a consumption that holds unknown events for `request.param` seconds lets through."""
    consumers.register(Consumer("probe", task="probe.run", wants=frozenset()))
    delivered: list[Received] = []
    consumption = Consumption(
        delivered.extend, wait_seconds=1, receives=1, unknown_held=request.param
    )
    consumption.watch("probe")
    yield delivered
    consumption.close(patient=True)
    consumers.unregister("probe")


@pytest.mark.parametrize("delivered", [1800.0], indirect=True)
def test_it_waits_for_a_deploy_that_brings_its_model(
    probes: Probes, delivered: list[Received], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING, "notifications")  # a quiet relay in this process lowered it
    for _ in range(3):
        probes.send_text(UNKNOWN)
    wait_for(lambda: probes.counts() == (0, 3), what="them to be hidden")
    wait_for(lambda: "Holding an event for up to 30 min" in caplog.text)
    assert caplog.text.count("probe.vanished is not registered here") == 1, "said once"
    assert not delivered
    assert not probes.dead_letters()


@pytest.mark.parametrize("delivered", [0.0], indirect=True)
def test_it_is_a_dead_letter_after_its_time(probes: Probes, delivered: list[Received]) -> None:
    probes.send_text(UNKNOWN)
    wait_for(probes.is_empty)
    [letter] = probes.dead_letters()
    assert letter["MessageAttributes"]["reason"]["StringValue"] == "unknown_event"
    assert letter["Body"] == UNKNOWN
    assert not delivered
