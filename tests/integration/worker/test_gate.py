"""The gate, with real workers: an account's limit is kept and used, at no message's cost."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from itertools import pairwise

import pytest

from notifications.local.providers.client import SandboxClient
from notifications.models import Attempt, RateLimit
from tests.conftest import Start
from tests.integration.worker import mails
from tests.waiting import wait_for

JITTER = 2
"""Mails that a busy machine may shift into another second than the one they were sent in."""


def limit(per_second: float) -> None:
    RateLimit.objects.set_override("email", per_second, by="ada", reason="a test")


def sent_at(sandbox: SandboxClient) -> list[float]:
    return sorted(message.accepted_at.timestamp() for message in sandbox.accepted("email"))


def has_sent(sandbox: SandboxClient, count: int) -> bool:
    return len(sent_at(sandbox)) >= count


def in_the_fullest_second(moments: Sequence[float]) -> int:
    return max(sum(start <= moment < start + 1 for moment in moments) for start in moments)


def intervals(moments: Sequence[float]) -> list[float]:
    return [later - earlier for earlier, later in pairwise(moments)]


@pytest.mark.S0
@pytest.mark.trap(14)
@pytest.mark.usefixtures("environment")
def test_the_limit_is_that_of_all_workers_together_and_what_waits_for_it_waits_in_the_queue(
    worker: Start, sandbox: SandboxClient
) -> None:
    mails.send_many(100)
    for _ in range(2):
        worker("email", EMAIL_RATE_LIMIT="10/s")
    wait_for(partial(has_sent, sandbox, 41), within=15)
    moments = sent_at(sandbox)
    assert in_the_fullest_second(moments) <= 10 + 1 + JITTER
    assert 3.5 <= moments[40] - moments[0] <= 5.5

    assert Attempt.objects.count() <= len(sent_at(sandbox)) + 10, "no attempt without a turn"
    waiting = mails.receives()
    assert waiting, "they are visible"
    assert set(waiting) == {0}, "and nobody has received them"
    assert RateLimit.objects.get(account="email").declared == 10.0
    wait_for(lambda: Attempt.objects.count() == len(sent_at(sandbox)), what="one attempt for each")


@pytest.mark.usefixtures("environment")
def test_an_idle_account_buys_turns_for_what_comes_and_no_others(
    worker: Start, sandbox: SandboxClient
) -> None:
    limit(10)
    placed = mails.orders(3)
    worker("email")
    for order in placed:
        before = len(sent_at(sandbox))
        mails.send(order)
        wait_for(partial(has_sent, sandbox, before + 1), within=5)
    assert RateLimit.objects.get(account="email").granted == 3


@pytest.mark.usefixtures("environment")
def test_a_limit_that_is_changed_holds_within_seconds(
    worker: Start, sandbox: SandboxClient
) -> None:
    mails.send_many(120)
    worker("email", EMAIL_RATE_LIMIT="2/s")
    wait_for(partial(has_sent, sandbox, 3))
    limit(40)
    before = len(sent_at(sandbox))
    wait_for(partial(has_sent, sandbox, before + 60), within=5)
    limit(2)
    wait_for(lambda: min(intervals(sent_at(sandbox)[-4:])) > 0.3, within=5)
    assert mails.counts()[0] > 0


@pytest.mark.usefixtures("environment")
def test_a_fresh_mail_overtakes_replays_without_number(
    worker: Start, sandbox: SandboxClient
) -> None:
    limit(10)
    for order in mails.orders(100):
        mails.send(order, queue="email-bulk")
    [fresh] = mails.orders(1)
    worker("email")
    wait_for(partial(has_sent, sandbox, 30), within=10)
    moments = sent_at(sandbox)
    assert moments[29] - moments[9] <= 2 / 0.5, "the replays have most of the limit"
    mails.send(fresh)
    subject = f"order/{fresh.pk}"
    wait_for(
        lambda: subject in {message.subject for message in sandbox.accepted("email")}, within=3
    )
    assert mails.counts("email-bulk")[0] > 20, "they waited"
    assert in_the_fullest_second(sent_at(sandbox)) <= 10 + 1 + JITTER
