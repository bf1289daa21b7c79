"""A rolling deploy: processes of yesterday's code meet rows and messages of today's."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from notifications import consumers, events, topology
from notifications.conf import conf
from notifications.consumers import Consumer
from notifications.events import EventData, event
from notifications.identifiers import uuid7
from notifications.models import Dispatch, Event
from notifications.relay import Relay
from notifications.timeline import timeline
from notifications.worker.consumption import Consumption
from notifications.worker.received import Received
from tests.integration.worker.conftest import Probes
from tests.queues import take_all
from tests.waiting import wait_for

Deploy = Callable[..., list[Received]]

HELD = 3.0
"""Seconds, in place of half an hour."""


@pytest.fixture
def deploy(probes: Probes) -> Iterator[Deploy]:
    """`deploy()`: a worker of the code there is now, in place of the one before; what it is given
    to run."""
    consumers.register(Consumer("probe", task="probe.run", wants=frozenset()))
    running: list[Consumption] = []

    def deploy(*, held: float = HELD) -> list[Received]:
        for old in running:
            old.close(patient=True)
        given: list[Received] = []
        running[:] = [
            Consumption(given.extend, wait_seconds=1, receives=1, unknown_held=held),
        ]
        running[0].watch("probe")
        return given

    yield deploy
    for each in running:
        each.close(patient=True)
    consumers.unregister("probe")


@pytest.fixture
def of_yesterday() -> Iterator[None]:
    _declare()
    yield
    events.unregister("probe.parcelled")


def _declare(**fields: Any) -> None:
    """The event type, as the code of the day has it."""
    events.unregister("probe.parcelled")
    model = type("Parcelled", (EventData,), {"__annotations__": {"number": int, **fields}})
    event("probe.parcelled", subject="probe/{number}")(model)


def body(*, source: str = "", version: int = 1, **data: Any) -> str:
    return json.dumps(
        {
            "specversion": "1.0",
            "id": str(uuid7()),
            "source": source or conf().source,
            "type": "probe.parcelled",
            "subject": "probe/1",
            "time": datetime.now(UTC).isoformat(),
            "dataversion": version,
            "data": {"number": 1, **data},
        }
    )


@pytest.mark.usefixtures("of_yesterday")
@pytest.mark.parametrize(
    "ahead", [{"version": 2}, {"weight": 3}], ids=["another version", "one field more"]
)
def test_what_an_old_worker_holds_a_new_one_does(
    ahead: dict[str, Any], deploy: Deploy, probes: Probes
) -> None:
    old = deploy()
    probes.send_text(body(**ahead))
    wait_for(lambda: probes.counts() == (0, 1), what="it to be held")
    assert not old

    if "version" in ahead:
        event("probe.parcelled", version=2, subject="probe/{number}")(
            type("ParcelledAnew", (EventData,), {"__annotations__": {"number": int}})
        )
    else:
        _declare(weight=int | None)
    new = deploy()
    wait_for(lambda: new, within=HELD + 10, what="the new worker to be given it")
    assert not old
    assert not probes.dead_letters()


@pytest.mark.usefixtures("of_yesterday")
def test_a_field_too_many_of_another_publisher_is_no_deploy_of_ours(
    deploy: Deploy, probes: Probes
) -> None:
    deploy()
    probes.send_text(body(source="urn:elsewhere", weight=3))
    wait_for(probes.is_empty)
    [letter] = probes.dead_letters()
    assert letter["MessageAttributes"]["reason"]["StringValue"] == "not_an_event"


@pytest.mark.django_db(transaction=True)
def test_an_old_relay_publishes_what_it_does_not_know_and_old_pages_show_it(
    aws: None, admin_client: Client
) -> None:
    row = Event.objects.create(
        type="order.teleported",
        version=3,
        source=conf().source,
        subject="order/7",
        time=datetime.now(UTC),
        data={"order_id": 7, "to": "the moon"},
        expected=["email", "moon-base"],
    )
    dispatches = [
        Dispatch.objects.create(event=row, subject=row.subject, kind=kind, destination=destination)
        for kind, destination in (("topic", "order-events"), ("queue", "moon-base"))
    ]

    Relay(once=True).run()

    states = [Dispatch.objects.get(pk=each.pk) for each in dispatches]
    assert [each.state for each in states] == ["published", "waiting"]
    assert "moon-base" in states[1].last_error, "it waits for a relay that knows the queue"
    assert states[1].tries, "and is tried again"
    [message] = take_all("analytics")  # which takes every type
    assert json.loads(message["Body"])["dataversion"] == 3
    assert timeline("order/7").entries
    pages = [
        reverse("admin:notifications_event_change", args=[row.pk]),
        reverse("admin:notifications_dispatch_changelist"),
        reverse("admin:console_overview"),
    ]
    assert [admin_client.get(page).status_code for page in pages] == [200, 200, 200]
    assert topology.current().queue("analytics")
