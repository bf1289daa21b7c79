"""The inbox row of an event at a consumer."""

from __future__ import annotations

from dataclasses import replace

import pytest

from notifications.models import Handled
from tests.integration.letters import letter

pytestmark = pytest.mark.django_db


def test_attempts_are_counted_per_consumer_and_event() -> None:
    event = letter()

    assert Handled.objects.attempts_of("payments", event.id) == 0
    assert Handled.objects.count_attempt("payments", event, OSError("no route")) == 1
    assert Handled.objects.count_attempt("payments", event, OSError("no route")) == 2
    assert Handled.objects.count_attempt("inventory", event, OSError("no route")) == 1
    assert Handled.objects.attempts_of("payments", event.id) == 2


def test_a_redrive_starts_the_count_anew() -> None:
    event = letter()
    Handled.objects.count_attempt("payments", event, OSError())
    Handled.objects.mark_failed("payments", event, OSError())
    again = replace(event, generation=1)

    assert Handled.objects.attempts_of("payments", event.id, generation=1) == 0
    assert Handled.objects.count_attempt("payments", again, OSError()) == 1
    assert Handled.objects.get().outcome == Handled.Outcome.OPEN


def test_what_was_given_up_keeps_its_count_and_a_redacted_error() -> None:
    event = letter()
    Handled.objects.count_attempt("payments", event, OSError())

    assert Handled.objects.mark_failed("payments", event, ValueError("no ann@example.org")) == 1

    row = Handled.objects.get()
    assert (row.outcome, row.last_error) == (
        Handled.Outcome.FAILED,
        "ValueError: no a…@example.org",
    )
    assert row.done_at
    assert (row.subject, row.event_type) == ("order/7", "order.created")


def test_what_is_done_stays_done() -> None:
    event = letter()
    Handled.objects.mark_done("payments", event)

    Handled.objects.mark_failed("payments", event, OSError())
    Handled.objects.count_attempt("payments", event, OSError())

    assert Handled.objects.get().outcome == Handled.Outcome.DONE
