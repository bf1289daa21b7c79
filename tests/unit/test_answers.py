"""How a provider's refusal is read: its meaning and its wait."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from notifications.channels.answers import LONGEST_CODE, Codes, retry_after
from notifications.exceptions import (
    OutcomeUnknown,
    PermanentError,
    ProviderPaused,
    TransientError,
)
from notifications.retries import RETRY_AFTER_MAX

CODES = Codes(
    paused=frozenset({"Suspended"}),
    transient=frozenset({"SlowDown"}),
    permanent=frozenset({"BadAddress"}),
    unknown=frozenset({"http_504"}),
)


@pytest.mark.parametrize(
    ("code", "status", "kind"),
    [
        ("Suspended", 400, ProviderPaused),
        ("SlowDown", 400, TransientError),
        ("BadAddress", 503, PermanentError),
        ("http_504", 504, OutcomeUnknown),
        ("Unheard", 400, PermanentError),
        ("Unheard", 404, PermanentError),
        ("Unheard", 401, ProviderPaused),
        ("Unheard", 403, ProviderPaused),
        ("Unheard", 408, TransientError),
        ("Unheard", 429, TransientError),
        ("Unheard", 500, TransientError),
        ("Unheard", 504, TransientError),
    ],
)
def test_a_code_decides_and_without_one_the_status_does(
    code: str, status: int, kind: type[Exception]
) -> None:
    assert type(CODES.error(code, status, "", None)) is kind


def test_a_code_that_nobody_knows_names_nobody() -> None:
    error = CODES.error(f"550 ann.smith@example.org {'x' * 200}", 400, "", None)
    assert error.code.startswith("550 a…@example.org xxx")
    assert len(error.code) == LONGEST_CODE


def test_the_wait_a_provider_named_is_kept() -> None:
    paused = CODES.error("Suspended", 400, "", 30.0)

    assert isinstance(paused, TransientError)
    assert paused.retry_after == 30.0


@pytest.mark.parametrize(
    ("header", "seconds"),
    [("7", 7.0), ("0.5", 0.5), ("soon", None), (None, None)],
)
def test_a_retry_after_in_seconds(header: str | None, seconds: float | None) -> None:
    assert retry_after(header) == seconds


@pytest.mark.parametrize("header", ["31536000", "1e400", "Fri, 31 Dec 9999 23:59:59 GMT"])
def test_a_retry_after_of_a_year_is_an_hour_and_then_it_is_looked_at_again(header: str) -> None:
    """A charge would be put off for as long, or be a dead letter for a time beyond all dates."""
    assert retry_after(header) == RETRY_AFTER_MAX


def test_a_retry_after_as_a_date() -> None:
    later = format_datetime(datetime.now(UTC) + timedelta(seconds=60), usegmt=True)

    assert retry_after(later) == pytest.approx(60, abs=2)


@pytest.mark.parametrize("header", ["0", "0.0", "-3", "nan", "Wed, 21 Oct 2015 07:28:00 GMT"])
def test_a_retry_after_that_names_no_time_ahead_says_nothing(header: str) -> None:
    """All tries would be used up at once."""
    assert retry_after(header) is None


@pytest.mark.parametrize("zone", ["+99999999999999", "+2460", "-0000x", "\x00"])
def test_a_retry_after_that_is_made_to_be_no_date_is_none(zone: str) -> None:
    assert retry_after(f"Fri, 20 Nov 2026 10:00:00 {zone}") in (None, 0.0)


@pytest.mark.parametrize("zone", ["", " -0000"])
def test_a_retry_after_as_a_date_without_its_zone_is_utc(zone: str) -> None:
    later = datetime.now(UTC) + timedelta(seconds=60)

    assert retry_after(f"{later:%a, %d %b %Y %H:%M:%S}{zone}") == pytest.approx(60, abs=2)
