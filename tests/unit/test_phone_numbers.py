"""A number as every provider wants it, and by which it is known again."""

from __future__ import annotations

import pytest

from notifications.channels.phone_numbers import dialled, e164


@pytest.mark.parametrize(
    ("written", "number"),
    [
        ("+49 (0)151 23456789", "+4915123456789"),
        ("+52 1 55 1234 5678", "+525512345678"),
        ("+52 55 1234 5678", "+525512345678"),
        ("+1 520 555 0123", "+15205550123"),
    ],
)
def test_a_number_is_sent_to_as_it_is_dialled_today(written: str, number: str) -> None:
    assert e164(written) == number


@pytest.mark.parametrize(
    ("written", "number"),
    [
        ("4915123456789", "+4915123456789"),
        ("5215512345678", "+525512345678"),
        ("551187654321", "+5511987654321"),
        ("5511987654321", "+5511987654321"),
        ("551131234567", "+551131234567"),
        ("ada@example.org", "ada@example.org"),
    ],
)
def test_a_number_is_known_again_however_a_provider_writes_it(written: str, number: str) -> None:
    assert dialled(written) == number
