"""Who has reported of those whom an event was meant to reach, and how it is said."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from notifications import completeness, consumers, durations, lag
from notifications.completeness import Facts, Standing, Tally
from notifications.consumers import Consumer
from notifications.models import Event, Handled

NOW = datetime(2026, 11, 25, 12, tzinfo=UTC)


@pytest.fixture(autouse=True)
def _services() -> Iterator[None]:
    for name, inbox in (("ledger", True), ("scout", False)):
        consumers.register(Consumer(name, task=f"tests.{name}", wants=None, inbox=inbox))
    yield
    for name in ("ledger", "scout"):
        consumers.unregister(name)


def ago(**length: float) -> datetime:
    return NOW - timedelta(**length)


def event(*expected: str, **given: Any) -> Event:
    values = {"type": "order.created", "subject": "order/1", "recorded_at": ago(minutes=13)}
    return Event(expected=list(expected), **values | given)


def facts(*expected: str, **given: Any) -> Facts:
    return Facts(event(*expected), **{"published_at": ago(minutes=12), **given})


def handled(outcome: str, **given: Any) -> Handled:
    return Handled(outcome=outcome, received_at=ago(minutes=11), done_at=ago(minutes=10), **given)


def words(found: Facts) -> str:
    return completeness.of_event(found).words(NOW)


def test_who_is_done_is_counted_and_who_is_silent_is_named_with_how_long() -> None:
    found = facts("email", "ledger", handled={"ledger": handled("done")})
    assert words(found) == "1 of 2; email has not reported for 12 min"


def test_a_channel_has_reported_once_all_of_its_deliveries_are_over() -> None:
    assert words(facts("email", tallies={"email": Tally(2, 0)})) == "1 of 1"
    half = facts("email", tallies={"email": Tally(2, 1, started=ago(minutes=5))})
    assert words(half) == "0 of 1; email has been under way for 5 min (1 of 2 deliveries)"


def test_a_channel_whose_task_ended_well_is_not_done_while_a_delivery_is_put_off() -> None:
    """It failed once, which left an inbox row; then the rest was put off until the morning."""
    asleep = facts(
        "email",
        handled={"email": handled("done")},
        tallies={"email": Tally(2, 1, started=ago(minutes=5))},
    )
    assert words(asleep) == "0 of 1; email has been under way for 5 min (1 of 2 deliveries)"


def test_a_channel_with_nobody_to_tell_has_reported_by_its_inbox_row() -> None:
    assert words(facts("email", handled={"email": handled("done")})) == "1 of 1"


def test_one_that_failed_and_is_tried_again_is_under_way() -> None:
    found = facts("ledger", handled={"ledger": handled("open", attempts=2)})
    said = "0 of 1; ledger has been under way for 11 min (2 failed attempts)"
    assert words(found) == said


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"handled": {"ledger": handled("failed")}}, "ledger gave it up"),
        ({"dead_letters": {"ledger": 7}}, "ledger gave it up (dead letter 7 is open)"),
        (
            {"tallies": {"ledger": Tally(1, 0)}, "dead_letters": {"ledger": 7}},
            "ledger gave it up (dead letter 7 is open)",
        ),
    ],
)
def test_one_that_gave_it_up_is_said_to_have(given: Any, said: str) -> None:
    assert words(facts("ledger", **given)) == f"0 of 1; {said}"


def test_what_is_done_after_all_counts_whatever_lies_about() -> None:
    found = facts("ledger", handled={"ledger": handled("done")}, dead_letters={"ledger": 7})
    assert words(found) == "1 of 1"


def test_one_that_was_removed_is_said_to_be_and_what_it_did_before_counts() -> None:
    assert words(facts("abacus")) == "0 of 1; abacus was removed and never reported"
    assert words(facts("abacus", handled={"abacus": handled("done")})) == "1 of 1"
    assert words(facts("fax", tallies={"fax": Tally(1, 0)})) == "1 of 1"


def test_one_that_keeps_no_record_is_not_counted() -> None:
    found = facts("ledger", "scout", handled={"ledger": handled("done")})
    counted = completeness.of_event(found)
    assert counted.words(NOW) == "1 of 1; scout keeps no record"
    assert counted.is_complete


def test_before_its_publication_nobody_is_blamed_for_silence() -> None:
    waiting = facts("ledger", published_at=None)
    said = "0 of 1; ledger has been waiting for its publication for 13 min"
    assert words(waiting) == said
    foreign = Facts(event("ledger", foreign=True))
    assert words(foreign) == "0 of 1; ledger has not reported for 13 min"


def test_of_several_events_a_consumer_has_reported_when_it_has_for_each() -> None:
    done = facts(
        "email", "ledger", tallies={"email": Tally(1, 0)}, handled={"ledger": handled("done")}
    )
    silent = facts("email", "ledger", tallies={"email": Tally(1, 0)})
    both = completeness.together(map(completeness.of_event, (done, silent)))
    assert both.words(NOW) == "1 of 2; ledger has not reported for 12 min (1 of 2 events)"
    assert [report.standing for report in both.missing] == [Standing.SILENT]


def test_what_needs_a_look_first_is_said_first() -> None:
    found = facts("abacus", "email", "ledger", "sms", dead_letters={"sms": 3})
    missing = completeness.of_event(found).missing
    assert [report.consumer for report in missing] == ["sms", "email", "ledger", "abacus"]


def test_lag_is_told_from_stage_to_stage() -> None:
    sent = Tally(1, 0, started=ago(minutes=11), done=ago(minutes=10.5))
    of_email, of_ledger, of_sms = lag.of_event(
        facts(
            "email", "ledger", "sms", tallies={"email": sent}, handled={"ledger": handled("done")}
        )
    )
    assert (of_email.published, of_email.received, of_email.done) == (60, 60, 30)
    assert of_email.total == 150
    assert of_email.words == (
        "email: published +1 min → received +1 min → done +30.0 s, 2 min in all"
    )
    assert (of_ledger.received, of_ledger.done) == (60, 60)
    assert of_sms.words == "sms: published +1 min"


def test_a_delivery_that_is_not_over_has_no_end_yet() -> None:
    [found] = lag.of_event(facts("email", tallies={"email": Tally(1, 1, started=ago(minutes=11))}))
    assert (found.received, found.done, found.total) == (60, None, None)


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (0.0841, "84 ms"),
        (0.9999, "1.0 s"),
        (59.96, "1 min"),
        (3.21, "3.2 s"),
        (719, "12 min"),
        (3599, "1 h"),
        (7500, "2 h 5 min"),
        (3.17 * 86400, "3 d 4 h"),
        (-2, "-2.0 s"),
    ],
)
def test_a_duration_is_said_in_the_units_that_matter(seconds: float, said: str) -> None:
    assert durations.words(seconds) == said
