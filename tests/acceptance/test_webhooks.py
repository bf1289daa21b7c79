"""A partner is posted what is routed to webhooks, from the order to its endpoint."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace

import pytest
from django.core.management import call_command

from notifications import consumers, webhooks
from notifications.local.providers.client import SandboxClient
from notifications.models import Delivery, Event, Handled
from tests.conftest import Start
from tests.shop import an_order
from tests.waiting import wait_for

pytestmark = pytest.mark.django_db(transaction=True)

ROUTED = {"WEBHOOK_EVENTS": "order.created"}
"""What the processes are started with; `_wanted` is the same in this one."""


@pytest.fixture
def _wanted(environment: dict[str, str]) -> Iterator[None]:
    webhook = consumers.get("webhook")
    consumers.register(replace(webhook, wants=frozenset({"order.created"})))
    call_command("provision", verbosity=0)
    yield
    consumers.register(webhook)


@pytest.mark.usefixtures("_wanted")
def test_a_partner_is_posted_an_order_and_without_one_the_event_is_done(
    relay: Start, worker: Start, sandbox: SandboxClient
) -> None:
    relay(**ROUTED)
    worker("webhook", **ROUTED)

    nobody = Event.objects.get(subject=f"order/{an_order().pk}")
    done = Handled.objects.filter(consumer="webhook", event_id=nobody.pk)
    wait_for(done.exists, within=60, what="the event that has nobody to tell")
    url = f"{sandbox.url}/webhooks/warehouse"
    added = webhooks.add(name="warehouse", url=url, by="ops", secret=webhooks.new_secret())
    sandbox.webhook_secret("warehouse", added.secret)
    event = Event.objects.get(subject=f"order/{an_order().pk}")
    told = Delivery.objects.filter(channel="webhook", state=Delivery.State.SENT)
    wait_for(told.exists, within=60, what="the partner's event")

    [taken] = sandbox.accepted("webhook")
    assert json.loads(taken.text)["id"] == str(event.pk)
    assert told.get().event_id == event.pk
    assert told.get().recipient == added.endpoint.reference
    assert "webhook" in event.expected
