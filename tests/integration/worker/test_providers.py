"""Two accounts for one channel, with real workers: both used, neither overrun, one failing over."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import timedelta
from email.utils import parseaddr

import pytest
from django.db.models.functions import Now
from django.utils import timezone

from notifications import glance
from notifications.local.providers.client import AcceptedMessage, SandboxClient
from notifications.models import Attempt, Breaker, Delivery, RateLimit
from tests.conftest import Start
from tests.integration.worker import mails
from tests.two_providers import FIRST, LIMITS
from tests.waiting import wait_for

pytestmark = pytest.mark.django_db(transaction=True)

ENVIRONMENT = {"DJANGO_SETTINGS_MODULE": "tests.two_providers", "SQS_WAIT_SECONDS": "1"}

SEEN_BY_NOW = timedelta(seconds=glance.OLDEST)

JITTER = 2
"""Mails that a busy machine may shift into another second than the one they were sent in."""


def by_sender(taken: Sequence[AcceptedMessage]) -> Counter[str]:
    return Counter(parseaddr(message.sender)[1] for message in taken)


def fullest_second(taken: Sequence[AcceptedMessage], sender: str) -> int:
    moments = [
        message.accepted_at.timestamp()
        for message in taken
        if parseaddr(message.sender)[1] == sender
    ]
    return max(sum(start <= moment < start + 1 for moment in moments) for start in moments)


def open_accounts() -> list[str]:
    return list(Breaker.objects.filter(state=Breaker.State.OPEN).values_list("account", flat=True))


@pytest.mark.S0
def test_one_account_fails_over_and_comes_back_and_each_mail_is_sent_once_within_either_limit(
    worker: Start, sandbox: SandboxClient
) -> None:
    for _ in range(2):
        worker("email", **ENVIRONMENT)
    orders = mails.send_many(50)
    wait_for(lambda: len(sandbox.accepted("email")) >= 20, within=30)

    sandbox.script("email", "refuse", address=FIRST, code="AccountSuspendedException")
    orders += mails.send_many(50)
    wait_for(open_accounts, what="the breaker of the first account to open")
    Breaker.objects.update(probe_at=Now() + timedelta(hours=1))
    wait_for(lambda: len(sandbox.accepted("email")) >= len(orders), within=40)
    refused = by_sender(sandbox.accepted("email"))

    sandbox.script("email", "accept", address=FIRST)
    Breaker.objects.update(probe_at=Now())
    since = timezone.now()
    wait_for(lambda: timezone.now() - since > SEEN_BY_NOW, what="the workers to see it")
    orders += mails.send_many(30)
    wait_for(lambda: len(sandbox.accepted("email")) >= len(orders), within=40)

    taken = sandbox.accepted("email")
    assert by_sender(taken)[FIRST] > refused[FIRST], "drifted back"
    assert Counter(message.subject for message in taken) == Counter(
        f"order/{order.pk}" for order in orders
    )
    for sender, limit in LIMITS.items():
        assert fullest_second(taken, sender) <= limit + limit / 10 + JITTER
    wait_for(lambda: mails.counts() == (0, 0), within=20)
    assert not open_accounts()
    assert Counter(Delivery.objects.values_list("provider", flat=True)) == {
        sender.partition("@")[0]: count for sender, count in by_sender(taken).items()
    }
    outcomes = Counter(Attempt.objects.values_list("outcome", flat=True))
    assert set(outcomes) <= {Attempt.Outcome.SENT, Attempt.Outcome.PAUSED}
    assert outcomes[Attempt.Outcome.SENT] == len(orders)
    granted = dict(RateLimit.objects.values_list("account", "granted"))
    assert set(granted) == {"email.first", "email.other"}
