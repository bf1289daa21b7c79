"""Breakers in running workers: a failing account's queues are left alone, probed, reopened."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db.models.functions import Now
from django.utils import timezone

from notifications import pauses
from notifications.local.providers.client import SandboxClient
from notifications.models import Attempt, Breaker, Pause
from notifications.models.breaker import FAILURES
from notifications.relay import Relay
from orders_site.orders.services import cancel_order
from tests.conftest import Start
from tests.integration.worker import mails
from tests.shop import a_customer, an_order
from tests.waiting import wait_for

pytestmark = pytest.mark.django_db(transaction=True)

THREADS = 2
SHORT_POLLS = {"SQS_WAIT_SECONDS": "1"}


def openings(account: str = "email") -> int:
    """How often the account's breaker has opened since its last success."""
    return Breaker.objects.filter(account=account).values_list("openings", flat=True).first() or 0


def wait_until_open_and_quiet() -> None:
    """The breaker is open, its probe far away, and what was under way has been answered."""
    wait_for(openings, within=20, what="the breaker to open")
    Breaker.objects.update(probe_at=Now() + timedelta(hours=1))
    wait_for(nothing_is_under_way, what="what was under way to be recorded")


def nothing_is_under_way() -> bool:
    return not Attempt.objects.filter(outcome="started").exists()


def let_somebody_probe() -> None:
    assert Breaker.objects.filter(probe_until=None).update(probe_at=Now()) == 1


def wait_two_seconds() -> None:
    began = timezone.now()
    wait_for(lambda: (timezone.now() - began).total_seconds() > 2, what="two seconds")


def test_two_workers_leave_a_failing_account_alone_and_come_back_when_one_message_went_through(
    worker: Start, sandbox: SandboxClient
) -> None:
    sandbox.script("email", "server_error")
    orders = mails.send_many(12)
    for _ in range(2):
        worker("email", concurrency=THREADS, **SHORT_POLLS)
    wait_until_open_and_quiet()
    asked = sandbox.requests("email")
    assert FAILURES <= asked <= FAILURES + 2 * THREADS

    wait_two_seconds()
    assert sandbox.requests("email") == asked, "nobody asks while it is open"

    before = openings()
    let_somebody_probe()
    wait_for(lambda: openings() == before + 1, what="a probe that fails")
    Breaker.objects.update(probe_at=Now() + timedelta(hours=1))
    wait_two_seconds()
    assert sandbox.requests("email") == asked + 1, "one message probes for both"

    sandbox.script("email", "accept")
    let_somebody_probe()
    wait_for(lambda: len(sandbox.accepted("email")) == len(orders), within=30)
    assert Breaker.objects.get().state == Breaker.State.CLOSED
    wait_for(lambda: mails.counts() == (0, 0), within=20)


def test_a_suspended_account_is_left_alone_at_once_and_its_messages_age_by_nothing(
    worker: Start, sandbox: SandboxClient
) -> None:
    sandbox.script("email", "refuse", code="AccountSuspendedException")
    orders = mails.send_many(12)
    running = worker("email", concurrency=THREADS, **SHORT_POLLS)
    wait_until_open_and_quiet()
    assert sandbox.requests("email") <= THREADS

    for _ in range(2):
        before = openings()
        let_somebody_probe()
        wait_for(lambda before=before: openings() == before + 1, what="a probe that fails")
        wait_for(nothing_is_under_way, what="the probe's attempt to be recorded, after its breaker")

    assert sandbox.requests("email") <= THREADS + 2
    paused = Attempt.objects.filter(outcome=Attempt.Outcome.PAUSED)
    assert paused.count() == Attempt.objects.count() == sandbox.requests("email")
    running.terminate()
    assert running.wait(within=20) == 0
    receives = wait_for_all_visible(len(orders))
    assert sum(receives) <= len(orders) + 2, "each at most once, beside the two probes"


def test_a_probe_that_meets_a_paused_type_leaves_the_next_message_to_probe(
    worker: Start, sandbox: SandboxClient
) -> None:
    held, told = mails.orders(2)
    cancel_order(order=told, reason="customer_request")
    pauses.pause(Pause.Kind.EVENT_TYPE, "order.created", by="ada", reason="wrong template")
    Breaker.objects.failed("email", "SendingPaused", at_once=True, retry_after=0)
    mails.send(held)

    worker("email", **SHORT_POLLS)
    wait_for(lambda: pauses.waiting("order.created") == 1, what="the paused one to be put off")
    mails.send(told, "order.cancelled")

    wait_for(lambda: sandbox.requests("email") == 1, what="the other one")
    wait_for(lambda: Breaker.objects.get().state == Breaker.State.CLOSED)


def wait_for_all_visible(count: int) -> list[int]:
    """How often each message has been received, once all are visible."""
    wait_for(lambda: mails.counts() == (count, 0), within=30, what="every message to be visible")
    return mails.receives()


def test_a_probe_of_a_service_that_fails_puts_the_next_one_off(
    worker: Start, sandbox: SandboxClient
) -> None:
    sandbox.script("payments", "refuse", code="unauthorized")
    for _ in range(3):
        an_order(customer=a_customer())
    Relay(once=True).run()
    worker("payments", concurrency=THREADS, **SHORT_POLLS)
    wait_for(lambda: openings("payments") == 1, within=20, what="the breaker to open")

    Breaker.objects.update(probe_at=Now())
    wait_for(lambda: openings("payments") == 2, what="a probe that fails")

    assert Breaker.objects.filter(probe_until=None, probe_at__gt=Now()).exists()
