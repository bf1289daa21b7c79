"""A channel of one's own is an adapter and a line in the settings."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from celery import current_app

from notifications import consumers, topology
from notifications.channels.consumers import register_configured
from notifications.conf import ChannelConf, Route
from notifications.testing import deliver_in_process
from notifications.worker.task import EventTask
from tests.shop import an_order

pytestmark = pytest.mark.django_db


@pytest.fixture
def pigeon_post(settings: Any) -> Iterator[None]:
    """One more line in CHANNELS, as it is when Django starts."""
    ours = settings.NOTIFICATIONS
    line = ChannelConf("notifications.channels.memory.MemoryChannel", {"channel": "pigeon"})
    settings.NOTIFICATIONS = {
        **ours,
        "CHANNELS": {**ours["CHANNELS"], "pigeon": line},
        "ROUTES": {"order.created": [Route("pigeon")]},
    }
    register_configured()
    yield
    consumers.unregister("pigeon")


def test_its_consumer_task_and_queues_follow_from_the_line(pigeon_post: None) -> None:
    consumer = consumers.get("pigeon")
    assert consumer.wants == {"order.created"}
    assert isinstance(current_app.tasks[consumer.task], EventTask)
    names = [queue.name for queue in topology.current().queues if queue.consumer == "pigeon"]
    assert names == ["pigeon-dlq", "pigeon-bulk", "pigeon-undelivered", "pigeon"]


def test_what_is_routed_to_it_becomes_deliveries(pigeon_post: None) -> None:
    with deliver_in_process() as told:
        an_order()
    (delivery,) = told.deliveries.filter(channel="pigeon")
    assert (delivery.state, delivery.reason) == ("skipped", "opted_out")
