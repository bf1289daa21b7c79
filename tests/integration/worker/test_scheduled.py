"""A scheduled event by real processes: nobody is told before its time, everybody once after it."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import transaction
from django.utils import timezone

from notifications import schedule
from notifications.local.providers.client import SandboxClient
from notifications.models import Dispatch, Event
from orders_site.events import OrderShipped
from tests.conftest import Start
from tests.integration.worker import mails
from tests.waiting import wait_for

pytestmark = pytest.mark.django_db(transaction=True)


def test_relays_side_by_side_have_it_told_once_when_it_is_due(
    relay: Start, worker: Start, sandbox: SandboxClient
) -> None:
    placed = mails.orders(3)
    Dispatch.objects.all().delete()  # of their being placed nobody is told here
    due = timezone.now() + timedelta(seconds=4)
    with transaction.atomic():
        for order in placed:
            schedule.add(OrderShipped(order_id=order.pk), at=due)
    assert schedule.call_off(f"order/{placed[0].pk}", "order.shipped") == 1
    relay()
    relay()
    worker("email")

    wait_for(lambda: len(sandbox.accepted("email")) == 2, within=30)
    wait_for(lambda: mails.counts() == (0, 0))
    told = [mail.subject for mail in sandbox.accepted("email")]
    assert sorted(told) == sorted(f"order/{order.pk}" for order in placed[1:])
    recorded = Event.objects.filter(type="order.shipped")
    assert [event.time for event in recorded] == [due, due]
    assert all(event.recorded_at >= due for event in recorded)
