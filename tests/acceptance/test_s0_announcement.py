"""S0 as a whole: `make announcement`, and what an operator's pause and cancellation do to one."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from notifications.announcements import begin, cancel, pause, resume, wish
from notifications.local.stack import Stack
from notifications.models import Delivery
from orders_site.announcement.memory import MOST_GROWTH, growth_of
from orders_site.announcement.outcome import bound
from orders_site.customers.models import Customer
from tests.acceptance.conftest import RawQueue
from tests.process_table import descendants, runs
from tests.stack import ROOT
from tests.waiting import wait_for

COMMAND = [sys.executable, "-m", "orders_site.announcement"]
OFFER = {"percent_off": 20, "until": "2199-12-31", "code": "PINE20"}
WITHIN = 300
"""Seconds: generous; it takes 30 on two cores that nobody else uses."""


@pytest.mark.S0
def test_s0_everybody_is_told_once_by_each_channel_at_the_mails_limit_while_a_provider_fails_over(
    stack: Stack, tmp_path: Path
) -> None:
    ours = {
        name: value
        for name, value in os.environ.items()
        if name not in stack.environment and not name.endswith("_RATE_LIMIT")
    }
    with (tmp_path / "output").open("w") as output:
        process = subprocess.Popen(
            [*COMMAND, "--recipients", "100", "--mails", "10", "--json"],
            cwd=ROOT,
            env=ours,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    started: set[int] = set()

    def ended() -> bool:
        started.update(descendants(process.pid))
        return process.poll() is not None

    try:
        wait_for(ended, within=WITHIN, what="the announcement to end")
    finally:
        process.terminate()
        process.wait(60)
    printed = (tmp_path / "output").read_text()
    assert process.returncode == 0, printed
    assert not list(filter(runs, started)), "and nothing is left"

    result = json.loads(printed.splitlines()[-1])
    assert result["recipients"] == 100
    assert result["expected"] == result["accepted"] > 350
    assert (result["lost"], result["doubled"], result["uncalled"]) == (0, 0, 0)
    assert result["limits"]["email"]["per_second"] == 10
    assert 9 <= result["limits"]["email"]["busiest"] <= 11, "its limit was reached, and kept"
    assert result["failover"]["before"]["north"] > 0
    assert result["failover"]["meanwhile"]["south"] > 0
    assert "the SMS provider north goes down" in printed
    assert "announcement 1: shop.news to about 100 people by email, sms, whatsapp, push" in printed


@pytest.mark.S0
@pytest.mark.django_db(transaction=True)
def test_s0_a_paused_announcement_stops_within_seconds_and_a_cancelled_one_for_good(
    relay, worker, sandbox, raw_queue
) -> None:
    Customer.objects.bulk_create(
        Customer(first_name="Ada", last_name=str(n), email=f"ada-{n}@example.org")
        for n in range(60)
    )
    announcement = begin(
        wish("shop.news", audience="customers", data=OFFER, channels=["email"]),
        by="ada",
        reason="the spring sale",
    )
    bulk: RawQueue = raw_queue("email-bulk")
    relay()
    worker("email", EMAIL_RATE_LIMIT="10/s")
    wait_for(lambda: sandbox.accepted("email"), within=60, what="the first of them")

    pause(announcement.pk, by="grace", reason="a typo")
    wait_for(lambda: bulk.held() == 0, within=60, what="the queue to be emptied to the outbox")
    told = len(sandbox.accepted("email"))
    assert told < 60

    resume(announcement.pk, by="grace", reason="it was none")
    wait_for(lambda: len(sandbox.accepted("email")) > told, within=60, what="the next of them")
    cancel(announcement.pk, by="grace", reason="it was one")
    cancelled = Delivery.objects.filter(reason="announcement_cancelled")
    wait_for(
        lambda: cancelled.count() + len(sandbox.accepted("email")) == 60,
        within=60,
        what="the rest to be skipped",
    )
    assert cancelled.exists()
    addresses = [message.address for message in sandbox.accepted("email")]
    assert len(addresses) == len(set(addresses)), "each once, for all that was put off"


def test_memory_is_flat_where_it_does_not_grow_by_more_than_it_may() -> None:
    warm = [(float(second), 100.0 + second) for second in range(60)]
    flat = [(float(second), 160.0 + second % 3) for second in range(60, 240)]
    grown = [(float(second), 160.0 + second / 10) for second in range(60, 240)]
    assert growth_of(warm + flat).flat
    assert not growth_of(warm + grown).flat
    assert (growth_of(warm + grown).growth or 0) > MOST_GROWTH
    assert growth_of(warm).slope is None, "too short to tell"


def test_of_no_mails_no_second_was_at_the_limit() -> None:
    assert bound([], 50) == 0.0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--recipients", "12"], "'12' is not a whole number from 100 to 1,000,000"),
        (["--mails", "0"], "'0' is not a whole number from 1 to 1000"),
    ],
)
def test_a_wrong_argument_of_the_announcement_gets_one_clear_line(
    arguments: list[str], message: str
) -> None:
    done = subprocess.run([*COMMAND, *arguments], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 2
    assert message in done.stderr.splitlines()[-1]
