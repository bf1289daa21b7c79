"""The demo's word on its limits: the most that any second brought."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from notifications.local.providers.client import AcceptedMessage
from orders_site.demo.limits import allowance, busiest_second

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


def accepted(seconds: float, *, channel: str = "email", text: str = "") -> AcceptedMessage:
    moment = NOON + timedelta(seconds=seconds)
    return AcceptedMessage(
        channel, "a", "1.0.1", "order.created", "order/1", text, "", "id", moment
    )


def test_of_nothing_no_second_was_busy() -> None:
    assert busiest_second([]) == 0


def test_any_window_of_one_second_counts_not_only_whole_ones() -> None:
    moments = [0.0, 0.9, 1.0, 1.4, 1.89, 1.95, 3.0]
    assert busiest_second(accepted(moment) for moment in reversed(moments)) == 4


def test_a_text_message_counts_by_its_parts() -> None:
    assert busiest_second([accepted(0, channel="sms", text="a" * 161), accepted(0.5)]) == 3


def test_a_provider_lets_a_tenth_more_pass_and_one_at_least() -> None:
    assert (allowance(5.0), allowance(50.0)) == (6.0, 55.0)
