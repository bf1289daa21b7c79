"""The script that the in-memory channel and the provider sandbox play from."""

from __future__ import annotations

import pytest

from notifications.channels.script import Behaviour, Script, Step


def played(script: Script, times: int, address: str = "ada@example.org") -> list[str]:
    return [script.next("email", address).behaviour.value for _ in range(times)]


def test_without_a_script_everything_is_accepted() -> None:
    assert played(Script(), 2) == ["accept", "accept"]


def test_entries_are_played_in_order_and_then_comes_accept() -> None:
    script = Script()
    script.add("email", Step.of("throttle"), times=2)
    script.add("email", Step.of("hang_up"), times=1)

    assert played(script, 4) == ["throttle", "throttle", "hang_up", "accept"]


def test_an_entry_for_an_address_comes_before_one_for_the_channel() -> None:
    script = Script()
    script.add("email", Step.of("throttle"))
    script.add("email", Step.of("refuse", code="MessageRejected"), address=" Ada@Example.org")

    assert played(script, 1) == ["refuse"]
    assert played(script, 1, "grace@example.org") == ["throttle"]


def test_an_entry_without_times_stands_until_the_next_is_added() -> None:
    script = Script()
    script.add("email", Step.of("throttle"))
    assert played(script, 3) == ["throttle"] * 3

    script.add("email", Step.of("accept"))
    assert played(script, 1) == ["accept"]


def test_what_is_forgotten_is_accepted_and_other_channels_keep_theirs() -> None:
    script = Script()
    script.add("email", Step.of("throttle"), times=2)
    script.add("email", Step.of("hang"), address="ada@example.org")
    script.add("sms", Step.of("hang"))

    script.forget("email")

    assert played(script, 2) == ["accept", "accept"]
    assert script.next("sms", "+49").behaviour == Behaviour.HANG


def test_channels_do_not_share_a_script() -> None:
    script = Script()
    script.add("sms", Step.of("hang"))

    assert played(script, 1) == ["accept"]


@pytest.mark.parametrize(
    ("behaviour", "arguments", "words"),
    [
        ("explode", {}, "No behaviour is named 'explode'; there are: accept, delay,"),
        ("refuse", {}, "refuse needs code."),
        ("delay", {}, "delay needs seconds."),
        ("throttle", {"seconds": 1}, "throttle does not take seconds."),
    ],
)
def test_a_wrong_step_is_refused_by_name(
    behaviour: str, arguments: dict[str, float], words: str
) -> None:
    with pytest.raises(ValueError, match=words.split(";")[0]):
        Step.of(behaviour, **arguments)


def test_every_behaviour_is_described_by_its_value() -> None:
    assert Step.of("accept_then_drop").behaviour is Behaviour.ACCEPT_THEN_DROP
