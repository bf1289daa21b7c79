"""The gate of a channel with several providers: open while one is, at the rates of all."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.db.models.functions import Now

from notifications import pauses, switches
from notifications.conf import ChannelConf, ProviderConf
from notifications.models import Breaker, Pause, RateLimit
from notifications.worker import turns
from notifications.worker.gate import Gate
from notifications.worker.permit import Permit, Refusal
from notifications.worker.queues import PolledQueue, polled_queues
from notifications.worker.turns import whose

pytestmark = pytest.mark.django_db(transaction=True)

MEMORY = "notifications.channels.memory.MemoryChannel"
FIRST, OTHER = "email.first", "email.other"


@pytest.fixture(autouse=True)
def _start_anew() -> Iterator[None]:
    """As a process that has just been started."""
    turns._start_anew_in_child()
    switches.look_again()
    yield
    turns._start_anew_in_child()
    switches.look_again()


@pytest.fixture
def limited(settings: Any) -> Any:
    """`limited("10/s", "10/s")`: two accounts of equal weight with these limits."""

    def limited(first: str, other: str) -> None:
        providers = tuple(
            ProviderConf(name, MEMORY, {"channel": name}, rate_limit=words)
            for name, words in (("first", first), ("other", other))
        )
        settings.NOTIFICATIONS = {
            **settings.NOTIFICATIONS,
            "CHANNELS": {
                **settings.NOTIFICATIONS["CHANNELS"],
                "email": ChannelConf(providers=providers),
            },
        }

    return limited


@pytest.fixture
def gate() -> Gate:
    return Gate(wait_seconds=1, on_missed=lambda: None)


@pytest.fixture
def queue() -> PolledQueue:
    return polled_queues("email")[0]


def leave_alone(*accounts: str) -> None:
    for account in accounts:
        Breaker.objects.failed(account, "it is down", at_once=True, retry_after=60)
    switches.look_again()


def permitted(answer: Permit | Refusal) -> Permit:
    assert isinstance(answer, Permit), answer
    return answer


def received(gate: Gate, queue: PolledQueue, most: int) -> list[Counter[str]]:
    """The accounts of the turns of a few full polls of a backlog."""
    found = []
    for _ in range(4):
        permit = permitted(gate.admit(queue, most, busy=True))
        settled = gate.settle(queue, permit, permit.most)
        assert not isinstance(settled, Refusal)
        found.append(Counter(map(whose, settled)))
    return found


def test_turns_are_bought_of_every_account_and_each_message_has_one(
    limited: Any, gate: Gate, queue: PolledQueue
) -> None:
    limited("100/s", "100/s")

    *_, fourth = received(gate, queue, 10)

    assert fourth == {FIRST: 4, OTHER: 4}, "twice as many with each full poll"


def test_an_account_that_is_used_up_is_made_up_for_by_the_other(
    limited: Any, gate: Gate, queue: PolledQueue
) -> None:
    limited("1/m", "100/s")

    bought = sum(received(gate, queue, 10), Counter())

    assert bought == {FIRST: 1, OTHER: 14}


def test_one_that_is_left_alone_is_not_bought_of_and_the_queue_is_polled_all_the_same(
    limited: Any, gate: Gate, queue: PolledQueue
) -> None:
    limited("100/s", "100/s")
    leave_alone(FIRST)

    bought = sum(received(gate, queue, 10), Counter())

    assert set(bought) == {OTHER}
    assert not RateLimit.objects.filter(account=FIRST).exists()


def test_where_one_has_no_limit_as_many_are_received_as_there_is_room_for(
    limited: Any, gate: Gate, queue: PolledQueue
) -> None:
    limited("1/m", "none")

    permit = permitted(gate.admit(queue, 10, busy=True))

    assert (permit.most, permit.limited) == (10, False)


def test_when_all_are_used_up_nothing_is_received_until_the_first_has_a_turn(
    limited: Any, gate: Gate, queue: PolledQueue
) -> None:
    limited("1/m", "1/h")
    received_once = permitted(gate.admit(queue, 10, busy=True))
    gate.settle(queue, received_once, 1)
    permitted(gate.admit(queue, 10, busy=True))

    refusal = gate.admit(queue, 10, busy=True)

    assert isinstance(refusal, Refusal)
    assert refusal.rate
    assert refusal.seconds > 1


def test_the_one_message_of_an_idle_queue_gets_a_turn_of_whoever_has_one(
    limited: Any, gate: Gate, queue: PolledQueue
) -> None:
    limited("1/m", "1/m")
    found = []
    for _ in range(2):
        permit = permitted(gate.admit(queue, 10, busy=False))
        assert (permit.most, permit.wait) == (1, 1)
        settled = gate.settle(queue, permit, 1)
        assert not isinstance(settled, Refusal)
        found += [whose(turn) for turn in settled]

    assert sorted(found) == [FIRST, OTHER]
    permit = permitted(gate.admit(queue, 10, busy=False))
    assert isinstance(gate.settle(queue, permit, 1), Refusal), "it goes back to the queue"


def test_a_turn_that_found_no_message_is_the_next_polls(
    limited: Any, gate: Gate, queue: PolledQueue
) -> None:
    limited("5/s", "5/s")
    permit = permitted(gate.admit(queue, 10, busy=True))
    gate.settle(queue, permit, 0)

    again = permitted(gate.admit(queue, 10, busy=True))

    assert [(whose(turn), float(turn)) for turn in again.turns] == [
        (whose(turn), float(turn)) for turn in permit.turns
    ]


def test_when_all_are_left_alone_one_message_may_come_once_a_probe_is_due(
    limited: Any, gate: Gate, queue: PolledQueue
) -> None:
    limited("none", "none")
    leave_alone(FIRST, OTHER)
    refusal = gate.admit(queue, 10, busy=True)
    assert isinstance(refusal, Refusal)
    assert "left alone" in refusal.why

    Breaker.objects.filter(account=OTHER).update(probe_at=Now())
    switches.look_again()
    permit = permitted(gate.admit(queue, 10, busy=True))
    assert (permit.most, permit.plenty) == (1, False)
    assert gate.settle(queue, permit, 1) == (), "it is not given back"

    assert Breaker.objects.try_probe(OTHER, timedelta(minutes=1))
    assert isinstance(gate.admit(queue, 10, busy=True), Refusal), "another message has the probe"


def test_a_pause_holds_them_all(limited: Any, gate: Gate, queue: PolledQueue) -> None:
    limited("none", "none")
    pauses.pause(Pause.Kind.CHANNEL, "email", by="ada", reason="wrong template")

    assert isinstance(gate.admit(queue, 10, busy=True), Refusal)


def test_one_that_is_paused_is_not_bought_of_nor_probed_and_the_others_go_on(
    limited: Any, gate: Gate, queue: PolledQueue
) -> None:
    limited("100/s", "100/s")
    leave_alone(FIRST)
    Breaker.objects.filter(account=FIRST).update(probe_at=Now())
    pauses.pause(Pause.Kind.PROVIDER, FIRST, by="ada", reason="it bounces")

    assert not switches.look().probe_is_due(FIRST)
    assert set(sum(received(gate, queue, 10), Counter())) == {OTHER}

    pauses.pause(Pause.Kind.PROVIDER, OTHER, by="ada", reason="it bounces too")
    refusal = gate.admit(queue, 10, busy=True)
    assert isinstance(refusal, Refusal)
    assert refusal.why == "provider email.first paused by ada: it bounces"
