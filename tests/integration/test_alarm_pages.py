"""Alarms lead to pages that are there; to runbooks: `unit/test_operating.py`."""

from __future__ import annotations

import pytest
from django.test import Client

from notifications import alarm_pages
from notifications.alarm_pages import Alarm
from notifications.models import DeadLetter, Delivery, Dispatch, Pause, RateLimit, ScheduledEvent
from tests.integration.operator_rows import operator


@pytest.mark.django_db
@pytest.mark.usefixtures("aws")
def test_each_alarm_leads_to_a_page_that_is_there() -> None:
    client: Client = operator(Delivery, DeadLetter, Dispatch, Pause, RateLimit, ScheduledEvent)
    for alarm in Alarm:
        page = alarm_pages.of(alarm)
        assert page.path.startswith("/admin/"), alarm
        assert client.get(page.path).status_code == 200, alarm
