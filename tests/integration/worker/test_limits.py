"""Limits in running workers: held over all of them, used up, changed at run time."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from datetime import timedelta

import pytest
from django.db.models import F

from notifications.local.processes import Process
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


@pytest.mark.S0
@pytest.mark.trap(14)
def test_two_workers_together_send_what_the_account_allows_and_cost_no_attempt(
    worker: Start, sandbox: SandboxClient
) -> None:
    orders = mails.send_many(20)
    for _ in range(2):
        worker("email", EMAIL_RATE_LIMIT="5/s", **SHORT_POLLS)

    wait_for(lambda: len(accepted(sandbox)) == len(orders), within=30)

    moments = accepted(sandbox)
    assert busiest_second(moments) <= 6
    assert max(moments) - min(moments) < 19 * 0.2 * 2, "the limit is used"
    assert Attempt.objects.count() == len(orders)
    assert RateLimit.objects.get(account="email").declared == 5.0


def test_a_limit_changed_at_run_time_holds_within_seconds(
    worker: Start, sandbox: SandboxClient
) -> None:
    orders = mails.send_many(40)
    worker("email", EMAIL_RATE_LIMIT="1/s", **SHORT_POLLS)
    wait_for(lambda: accepted(sandbox), within=15)

    RateLimit.objects.set_override("email", 20.0, by="ada", reason="a warmer account")

    wait_for(lambda: len(accepted(sandbox)) == len(orders), within=15)


def test_an_override_limits_a_task_that_declares_no_limit_and_in_either_pool(
    probes: Probes, probe_worker: Callable[..., Process]
) -> None:
    RateLimit.objects.set_override("probe", 5.0, by="ada", reason="a weak backend")
    probes.send_many(["succeed"] * 15)

    probe_worker()

    wait_for(lambda: len(probes.runs()) == 15, within=30)
    moments = [float(run.split()[4]) for run in probes.runs()]
    assert busiest_second(moments) <= 6


def test_a_fresh_mail_does_not_wait_behind_those_of_the_bulk_queue(
    worker: Start, sandbox: SandboxClient
) -> None:
    for order in mails.orders(60):
        mails.send(order, queue="email-bulk")
    worker("email", EMAIL_RATE_LIMIT="5/s", **SHORT_POLLS)
    wait_for(lambda: len(accepted(sandbox)) >= 3, within=20)

    since = time.monotonic()
    fresh = {f"order/{order.pk}" for order in mails.send_many(3)}
    wait_for(lambda: fresh <= {message.subject for message in sandbox.accepted("email")}, within=10)

    assert time.monotonic() - since < 4
    assert mails.counts("email-bulk")[0] > 0, "the rest waits for what is left over"
    assert busiest_second(accepted(sandbox)) <= 6


def test_what_a_recipient_is_told_too_much_comes_when_there_is_room(
    worker: Start, relay: Start, sandbox: SandboxClient
) -> None:
    patient = {"DJANGO_SETTINGS_MODULE": "tests.patient_recipients"}
    mails.send_many(3)
    worker("email", **SHORT_POLLS, **patient)
    wait_for(lambda: len(accepted(sandbox)) == 2, within=20)
    throttled = wait_for(lambda: Dispatch.objects.filter(reason="throttled"), within=10)
    wait_for(lambda: mails.counts() == (0, 0), within=10, what="the third message to be done")

    hour = timedelta(hours=1)
    Delivery.objects.update(sent_at=F("sent_at") - hour, next_try_at=F("next_try_at") - hour)
    throttled.update(available_at=F("available_at") - hour)
    relay(**patient)

    wait_for(lambda: len(accepted(sandbox)) == 3, within=20)
    wait_for(lambda: not Delivery.objects.exclude(state=Delivery.State.SENT).exists())
    assert Attempt.objects.count() == 3
