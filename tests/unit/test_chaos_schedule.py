"""The fault lab's schedule: the same for the same seed, and with everything in it."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace

import pytest

from tests.chaos.schedule import Cast, Step, Verb, plan
from tests.chaos.troubles import LOOKUPS, PAYMENTS, REFUSALS
from tests.stack import ROOT

CAST = Cast(
    workers=("worker-1", "worker-2"),
    relays=("relay-1",),
    web="web",
    channels=("email", "sms", "whatsapp", "push"),
)
SEEDS = range(1, 21)


def schedule(seed: int, seconds: float = 140.0) -> Sequence[Step]:
    return plan(seed, seconds, CAST)


def test_the_same_seed_gives_the_same_schedule_and_another_another() -> None:
    assert list(map(str, schedule(1))) == list(map(str, schedule(1)))
    assert list(map(str, schedule(1))) != list(map(str, schedule(2)))


def test_another_process_makes_the_same_of_it() -> None:
    """Nothing of the process enters: no hash of a text, no address, no time."""
    command = [sys.executable, "-m", "tests.chaos", "--plan", "--orders", "60", "--seed", "7"]
    first, second = (
        subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
        for _ in range(2)
    )
    assert first == second
    assert len(first.splitlines()) > 30


@pytest.mark.parametrize("seconds", [14.0, 140.0])
def test_every_schedule_stands_in_order_and_ends_in_time(seconds: float) -> None:
    for seed in SEEDS:
        moments = [step.at for step in schedule(seed, seconds)]
        assert moments == sorted(moments)
        assert 0 <= moments[0] <= moments[-1] <= seconds


def test_every_schedule_kills_and_stops_and_takes_each_part_away_in_both_ways() -> None:
    for seed in SEEDS:
        done = {(step.verb, step.target) for step in schedule(seed)}
        struck = {target for verb, target in done if verb in (Verb.KILL, Verb.STOP)}
        assert struck == {"worker-1", "worker-2", "relay-1", "web"}
        for part in ("fauxqs", "postgres"):
            assert {(Verb.CRASH, part), (Verb.RESTART, part)} <= done


def test_every_provider_fails_goes_down_comes_up_and_refuses_somebody() -> None:
    for seed in SEEDS:
        steps = schedule(seed)
        for channel in CAST.channels:
            ours = [step for step in steps if step.target == channel]
            verbs = [step.verb for step in ours if step.verb in (Verb.DOWN, Verb.UP)]
            assert verbs == [Verb.DOWN, Verb.UP] * 2
            said = [step.how["behaviour"] for step in ours if step.verb is Verb.SCRIPT]
            assert REFUSALS[channel].name in said
            assert "accept_then_drop" in said


def test_the_payment_provider_fails_declines_and_is_away_where_somebody_has_to_pay() -> None:
    for seed in SEEDS:
        steps = plan(seed, 140.0, replace(CAST, pays=True))
        said = [
            step.how.get("code") or step.how["behaviour"]
            for step in steps
            if step.verb is Verb.SCRIPT and step.target == PAYMENTS
        ]
        assert {"card_declined", "insufficient_funds", "accept_then_drop", "hang_up"} <= {*said}
        for asked in (PAYMENTS, LOOKUPS):
            verbs = [step.verb for step in steps if step.target == asked]
            assert verbs.count(Verb.DOWN) == verbs.count(Verb.UP) == 2
        others = [step for step in steps if step.target not in (PAYMENTS, LOOKUPS)]
        assert list(map(str, others)) == list(map(str, schedule(seed)))


def test_the_seeds_that_the_documents_name_disturb_sns_and_sqs_in_every_way_between_them() -> None:
    disturbed = {step.target for seed in (1, 2, 3) for step in schedule(seed)}
    assert {
        "errors",
        "throttling",
        "lost answers",
        "failed entries",
        "half-open polls",
        "half-open publishing",
        "half-open deleting",
    } <= disturbed
