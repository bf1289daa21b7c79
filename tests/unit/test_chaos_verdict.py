"""The fault lab's judgement: what it calls lost, doubled, doubled by policy and untrue."""

from __future__ import annotations

from dataclasses import replace
from uuid import UUID

import pytest

from orders_site.demo.manifest import Call
from tests.chaos.verdict import Evidence, Taken, Tally, Told, judge

MAIL = Call("order/1", "order.created", "email", "ada@example.org")
TEXT = Call("order/1", "order.shipped", "sms", "+441632960001")
ROW = UUID(int=1)
NOTHING = Evidence(
    required=(), optional=(), taken=(), told=(), unknown=(), buried=(), silent=lambda call: False
)


def taken(call: Call, number: int = 1, row: UUID = ROW) -> Taken:
    return Taken(call, f"{row}.0.{number}")


def told(call: Call, state: str) -> Told:
    return Told(ROW, call, state)


def verdict(**evidence: object) -> tuple[Tally, list[str]]:
    """The only channel's tally, and what is wrong besides."""
    tallies, untrue = judge(replace(NOTHING, **evidence))  # type: ignore[arg-type]
    [tally] = tallies.values()
    return tally, untrue


def test_what_was_called_for_and_accepted_once_is_well() -> None:
    tally, untrue = verdict(required=[MAIL], taken=[taken(MAIL)], told=[told(MAIL, "delivered")])
    assert tally == Tally(called_for=1, accepted=1)
    assert untrue == []


@pytest.mark.parametrize("rows", [[], [told(MAIL, "retrying")], [told(MAIL, "skipped")]])
def test_what_was_never_accepted_is_lost(rows: list[Told]) -> None:
    tally, _ = verdict(required=[MAIL], told=rows)
    assert tally.lost == [MAIL]


def test_a_row_that_says_sent_does_not_save_what_the_provider_never_had() -> None:
    tally, untrue = verdict(required=[MAIL], told=[told(MAIL, "sent")])
    assert tally.lost == [MAIL]
    assert untrue == [f"delivery {ROW} (email) is sent, and its provider never had it"]


@pytest.mark.parametrize("call", [MAIL, TEXT])
def test_what_was_accepted_twice_is_doubled(call: Call) -> None:
    tally, _ = verdict(required=[call], taken=[taken(call), taken(call, 2)])
    assert tally.doubled == [call]
    assert tally.accepted == 2


def test_a_mail_sent_again_because_nobody_knew_is_doubled_by_policy() -> None:
    both = [taken(MAIL), taken(MAIL, 2)]
    tally, _ = verdict(required=[MAIL], taken=both, unknown={f"{ROW}.0.1"})
    assert (tally.doubled, tally.doubled_by_policy) == ([], 1)


def test_a_third_mail_needs_a_second_unknown() -> None:
    three = [taken(MAIL, number) for number in (1, 2, 3)]
    tally, _ = verdict(required=[MAIL], taken=three, unknown={f"{ROW}.0.1"})
    assert (tally.doubled, tally.doubled_by_policy) == ([MAIL], 1)


def test_the_same_attempt_accepted_twice_is_doubled_whatever_the_log_says() -> None:
    both = [taken(MAIL), taken(MAIL)]
    tally, _ = verdict(required=[MAIL], taken=both, unknown={f"{ROW}.0.1"})
    assert tally.doubled == [MAIL]


def test_two_deliveries_of_one_call_are_doubled_whatever_the_log_says() -> None:
    both = [taken(MAIL), taken(MAIL, 2, row=UUID(int=2))]
    tally, _ = verdict(required=[MAIL], taken=both, unknown={f"{ROW}.0.1"})
    assert tally.doubled == [MAIL]


def test_a_text_has_no_such_policy() -> None:
    both = [taken(TEXT), taken(TEXT, 2)]
    tally, _ = verdict(required=[TEXT], taken=both, unknown={f"{ROW}.0.1"})
    assert tally.doubled == [TEXT]


def test_what_nobody_called_for_is_said() -> None:
    tally, _ = verdict(taken=[taken(MAIL)])
    assert tally.uncalled == [MAIL]
    tally, _ = verdict(optional=[MAIL], taken=[taken(MAIL)])
    assert tally.uncalled == []


def test_an_unknown_text_that_its_provider_never_had_is_not_lost() -> None:
    tally, untrue = verdict(required=[TEXT], told=[told(TEXT, "unknown")])
    assert (tally.lost, tally.unknown, tally.withheld, untrue) == ([], 1, 0, [])


def test_an_unknown_text_that_its_provider_has_must_be_one_of_which_it_says_nothing() -> None:
    evidence = {"required": [TEXT], "taken": [taken(TEXT)], "told": [told(TEXT, "unknown")]}
    tally, untrue = verdict(**evidence, silent=lambda call: True)
    assert (tally.unknown, tally.withheld, untrue) == (1, 1, [])
    _, untrue = verdict(**evidence)
    assert untrue == [
        f"delivery {ROW} (sms) is unknown, although its provider said what became of it"
    ]


def test_a_dead_letter_is_not_lost_and_a_failure_without_one_is_untrue() -> None:
    letter = (MAIL.event_type, MAIL.subject, MAIL.channel)
    tally, untrue = verdict(required=[MAIL], told=[told(MAIL, "failed")], buried={letter})
    assert (tally.lost, tally.dead_lettered, untrue) == ([], 1, [])
    _, untrue = verdict(required=[MAIL], told=[told(MAIL, "failed")])
    assert untrue == [f"delivery {ROW} (email) failed (), and there is no dead letter of it"]


def test_a_failure_of_what_the_provider_has_and_said_so_is_untrue() -> None:
    _, untrue = verdict(required=[MAIL], taken=[taken(MAIL)], told=[told(MAIL, "skipped")])
    assert untrue == [f"delivery {ROW} (email) is skipped (), and its provider has it"]
