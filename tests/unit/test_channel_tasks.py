"""The channels' tasks say in Celery's own words when and how often they are tried again."""

from __future__ import annotations

import pytest
from celery import Task

from notifications.channels.consumers import email, push, sms, webhook, whatsapp
from notifications.consumers import all_consumers
from notifications.exceptions import PermanentError, TransientError
from notifications.retries import RetryPolicy, schedule

TASKS = [email, sms, whatsapp, push]


@pytest.mark.parametrize("task", TASKS, ids=lambda task: task.name)
def test_a_channel_tries_what_failed_for_now_eight_times_again_ever_later(task: Task) -> None:
    assert TransientError in task.autoretry_for
    assert PermanentError not in task.autoretry_for
    assert task.acks_late
    assert task.max_retries == 8
    assert schedule(RetryPolicy.of(task)) == [2, 4, 8, 16, 32, 64, 128, 256]


@pytest.mark.parametrize(
    ("task", "rate"),
    [(email, "5/s"), (sms, "3/s"), (whatsapp, "80/s"), (push, "10000/s")],
    ids=lambda value: getattr(value, "name", value),
)
def test_a_channel_declares_what_its_provider_allows(task: Task, rate: str) -> None:
    assert task.rate_limit == rate


def test_a_partner_is_tried_for_a_day() -> None:
    waits = schedule(RetryPolicy.of(webhook))
    assert waits[:3] == [30, 60, 120]
    assert max(waits) == 8 * 3600
    assert 24 <= sum(waits) / 3600 < 25


def test_each_channel_of_the_shop_is_served_by_its_task() -> None:
    served = {consumer.channel: consumer.task for consumer in all_consumers() if consumer.channel}
    assert served == {
        task.name.removeprefix("notifications."): task.name for task in (*TASKS, webhook)
    }
