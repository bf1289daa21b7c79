"""Ids: ordered by time where rows lie side by side, and derived where two must agree."""

from __future__ import annotations

import time
from uuid import RFC_4122

from notifications.identifiers import foreign_event_id, task_id, uuid7


def test_an_event_s_id_is_a_uuid7_of_this_moment() -> None:
    before = time.time_ns() // 1_000_000
    made = uuid7()
    assert (made.version, made.variant) == (7, RFC_4122)
    assert before <= made.int >> 80 <= time.time_ns() // 1_000_000


def test_ids_of_one_moment_differ() -> None:
    assert len({uuid7() for _ in range(10_000)}) == 10_000


def test_another_publisher_s_event_has_one_id_wherever_it_arrives() -> None:
    named = ("order.created", "order/7", "2026-01-02T03:04:05Z")
    assert foreign_event_id(*named) == foreign_event_id(*named)
    for other in (("order.shipped", *named[1:]), (named[0], "order/8", named[2]), (*named[:2], "")):
        assert foreign_event_id(*other) != foreign_event_id(*named)


def test_two_consumers_of_an_event_never_share_a_task() -> None:
    event = uuid7()
    assert task_id(event, "email", "m") == task_id(str(event), "email", "m")
    assert len({task_id(event, name, sent) for name in ("email", "sms") for sent in "ab"}) == 4
