"""Limits in running workers that `test_gate.py` does not show: of services, and of recipients."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

import pytest
from django.db.models import F

from notifications.local.providers.client import SandboxClient
from notifications.models import Attempt, Delivery, Dispatch, RateLimit
from tests.conftest import Start
from tests.integration.worker import mails
from tests.integration.worker.conftest import Probes
from tests.waiting import wait_for

pytestmark = pytest.mark.django_db(transaction=True)

SHORT_POLLS = {"SQS_WAIT_SECONDS": "1"}


def accepted(sandbox: SandboxClient) -> list[float]:
    return [message.accepted_at.timestamp() for message in sandbox.accepted("email")]


def busiest_second(moments: Sequence[float]) -> int:
    """The most of them in any window of one second."""
    return max(sum(first <= moment < first + 1 for moment in moments) for first in moments)


def test_an_override_limits_a_task_that_declares_no_limit_in_a_pool_of_processes(
    probes: Probes, worker: Start
) -> None:
    RateLimit.objects.set_override("probe", 5.0, by="ada", reason="a weak backend")
    probes.send_many(["succeed"] * 15)

    worker("probe", pool="prefork", concurrency=4)

    wait_for(lambda: len(probes.runs()) == 15, within=30)
    moments = [float(run.split()[4]) for run in probes.runs()]
    assert busiest_second(moments) <= 6


def test_what_a_recipient_is_told_too_much_comes_when_there_is_room(
    worker: Start, relay: Start, sandbox: SandboxClient
) -> None:
    patient = {"DJANGO_SETTINGS_MODULE": "tests.patient_recipients"}
    mails.send_many(3)
    worker("email", **SHORT_POLLS, **patient)
    wait_for(lambda: len(accepted(sandbox)) == 2, within=20)
    throttled = wait_for(lambda: Dispatch.objects.filter(reason="throttled"))
    wait_for(lambda: mails.counts() == (0, 0), what="the third message to be done")

    hour = timedelta(hours=1)
    Delivery.objects.update(sent_at=F("sent_at") - hour, next_try_at=F("next_try_at") - hour)
    throttled.update(available_at=F("available_at") - hour)
    relay(**patient)

    wait_for(lambda: len(accepted(sandbox)) == 3, within=20)
    wait_for(lambda: not Delivery.objects.exclude(state=Delivery.State.SENT).exists())
    assert Attempt.objects.count() == 3
