"""What a provider's answers do to its account's breaker, as this process and others see it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import psycopg
import pytest
from django.db import connection
from django.db.models import F
from django.test.utils import CaptureQueriesContext

from notifications import breakers, consumers, switches
from notifications.exceptions import (
    Busy,
    NotificationError,
    OutcomeUnknown,
    PermanentError,
    ProviderPaused,
    TransientError,
)
from notifications.models import Breaker, Pause
from notifications.models.breaker import FAILURES

pytestmark = pytest.mark.django_db(transaction=True)

EMAIL = "gustav.klein@example.org"


@pytest.fixture(autouse=True)
def _fresh_switches() -> Iterator[None]:
    switches.look_again()
    yield
    breakers._failed_here.clear()
    switches.look_again()


def report(error: NotificationError | None, times: int = 1, *, took: float = 0.0) -> None:
    for _ in range(times):
        breakers.report("email", error, took=took)


def seconds() -> float:
    return switches.look().breaker_seconds("email")


@pytest.mark.parametrize("error", [TransientError("503"), OutcomeUnknown("no answer")])
def test_five_failures_in_a_row_hold_the_accounts_queues(error: NotificationError) -> None:
    report(error, FAILURES - 1)
    assert seconds() == 0

    report(error)

    assert 0 < seconds() <= 5
    held = switches.look().holds("email-bulk", consumers.get("email"))
    assert held.startswith("account email is left alone: ")
    assert switches.look().holds("sms", consumers.get("sms")) == ""


def test_a_suspended_account_is_left_alone_for_as_long_as_it_asks() -> None:
    report(ProviderPaused("suspended", retry_after=120))
    assert seconds() == pytest.approx(120, abs=1)


def test_a_retry_after_of_days_is_looked_at_within_the_hour() -> None:
    report(ProviderPaused("suspended", retry_after=3 * 24 * 3600))
    assert seconds() == pytest.approx(3600, abs=1)


def test_the_retry_after_of_one_message_does_not_put_off_the_account() -> None:
    report(TransientError("slow down", retry_after=600), FAILURES)
    assert seconds() <= 5


def test_what_is_wrong_with_a_message_says_nothing_about_its_account() -> None:
    report(TransientError("503"), FAILURES - 1)
    report(PermanentError("no such mailbox"), 10)
    report(Busy("somebody else has it"), 10)
    assert seconds() == 0

    report(TransientError("503"))
    assert seconds() > 0


def test_a_success_lets_the_workers_back_in() -> None:
    report(ProviderPaused("suspended"))
    assert seconds() > 0

    report(None)

    assert seconds() == 0
    assert not switches.look().failing("email")


def test_a_success_of_a_send_from_before_does_not_let_them_back_in() -> None:
    report(ProviderPaused("suspended"))
    report(None, took=10)
    assert seconds() > 0


def test_a_probe_that_met_a_wrong_message_leaves_the_next_to_another() -> None:
    report(ProviderPaused("suspended"))
    Breaker.objects.update(probe_at=F("probe_at") - timedelta(minutes=1))
    assert Breaker.objects.try_probe("email", timedelta(minutes=1))

    report(PermanentError("no such mailbox"))

    assert Breaker.objects.try_probe("email", timedelta(minutes=1))


def test_while_a_probe_is_due_or_out_the_account_stays_left_alone() -> None:
    report(ProviderPaused("suspended"))
    assert not switches.look().probe_is_due("email")
    Breaker.objects.update(probe_at=F("probe_at") - timedelta(minutes=1))
    switches.look_again()

    assert switches.look().probe_is_due("email")
    assert seconds() > 0
    assert Breaker.objects.try_probe("email", timedelta(minutes=1))
    assert seconds() > 0


def test_a_success_of_a_well_account_asks_the_database_nothing() -> None:
    switches.look()
    with CaptureQueriesContext(connection) as captured:
        report(None, 50)
    assert len(captured) == 0


def test_a_success_right_after_a_failure_of_this_process_ends_the_row() -> None:
    switches.look()  # which knows of no failure for a second
    report(TransientError("503"), FAILURES - 1)
    report(None)
    report(TransientError("503"), FAILURES - 1)
    assert seconds() == 0


def test_another_workers_failures_are_ended_by_our_success() -> None:
    for _ in range(FAILURES - 1):
        Breaker.objects.failed("email", "503")
    switches.look_again()
    assert switches.look().failing("email")

    report(None)

    assert Breaker.objects.get().failures == 0


def test_no_address_stands_on_a_breaker() -> None:
    report(ProviderPaused(f"{EMAIL} is suspended"))
    assert EMAIL not in Breaker.objects.get().last_error
    assert EMAIL not in switches.look().holds("email", consumers.get("email"))


def test_the_switches_are_read_once_a_second_however_often_they_are_looked_at() -> None:
    switches.look_again()
    with CaptureQueriesContext(connection) as captured:
        for _ in range(200):
            switches.look()
    assert len(captured) == 2


def end_our_connection(*, first: str = "SELECT 1") -> None:
    """The server ends this thread's connection, after `first` was done on another."""
    parameters = connection.get_connection_params()
    for name in ("cursor_factory", "context", "prepare_threshold"):  # Django's own, not libpq's
        parameters.pop(name, None)
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        row = cursor.fetchone()
    assert row is not None
    with psycopg.connect(**parameters, autocommit=True) as other:
        other.execute(first)
        other.execute("SELECT pg_terminate_backend(%s)", [row[0]])


def test_a_report_that_the_database_does_not_hear_raises_nothing(
    caplog: pytest.LogCaptureFixture,
) -> None:
    end_our_connection()
    report(TransientError("503"))
    connection.close()

    assert "is not on its breaker" in caplog.text
    assert not Breaker.objects.exists()


def test_while_the_database_is_away_the_last_switches_stand() -> None:
    email = consumers.get("email")
    Pause.objects.pause(Pause.Kind.QUEUE, "email", by="ada")
    assert switches.look().holds("email", email)
    end_our_connection(first="UPDATE notifications_pause SET resumed_at = now()")

    switches.look_again()
    assert switches.look().holds("email", email)
    switches.look_again()
    assert switches.look().holds("email", email) == ""
