"""The pure decisions behind resend, redrive and replay."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from django.utils import timezone

from notifications import horizon, redrive, resend
from notifications.endings import LOST, Facts, Told, ending
from notifications.filters import between, moment
from notifications.jobs import summary
from notifications.models import Delivery, Job

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("state", "next_try_at", "is_under_way"),
    [
        ("pending", None, True),
        ("sending", None, True),
        ("retrying", NOW, True),
        ("unknown", NOW, True),
        ("unknown", None, False),
        ("sent", None, False),
        ("delivered", None, False),
        ("bounced", None, False),
        ("complained", None, False),
        ("failed", None, False),
        ("skipped", None, False),
        ("discarded", None, False),
    ],
)
def test_what_is_under_way_is_not_touched(
    state: str, next_try_at: datetime | None, is_under_way: bool
) -> None:
    assert bool(resend.under_way(state, next_try_at)) is is_under_way


def test_every_state_is_either_at_rest_or_under_way() -> None:
    for state in Delivery.State:
        at_rest = not resend.under_way(state, None)
        assert at_rest == (state in Delivery.TERMINAL or state == Delivery.State.UNKNOWN)


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("90m", NOW - timedelta(minutes=90)),
        ("2h", NOW - timedelta(hours=2)),
        ("3d", NOW - timedelta(days=3)),
        ("2026-11-20T14:00+02:00", NOW),
        ("2026-11-20T12:00Z", NOW),
    ],
)
def test_a_time_is_a_moment_or_a_span_ago(text: str, meant: datetime) -> None:
    assert moment(text, now=NOW) == meant


def test_a_time_without_an_offset_is_where_we_are() -> None:
    for text in ("2026-11-20", "2026-11-20T00:00"):
        assert moment(text) == timezone.make_aware(datetime(2026, 11, 20))  # noqa: DTZ001


@pytest.mark.parametrize(
    "text",
    [
        *("", "yesterday", "2026-13-01", "h", "-2h", "0h"),
        *("999999d", "0001-01-01", "9999-12-31T23:59:59-10:00"),
    ],
)
def test_what_is_no_time_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        moment(text)


def test_bounds_are_looked_up_as_far_as_they_are_given() -> None:
    assert between("made", {}) == {}
    assert list(between("made", {"since": "2h"})) == ["made__gte"]
    assert list(between("made", {"since": "2h", "until": "1h"})) == ["made__gte", "made__lt"]


def test_items_go_out_at_the_jobs_rate_and_a_rest_saves_nothing_up() -> None:
    job = Job(rate=2.0, next_at=NOW)
    assert [job.pace(NOW) for _ in range(3)] == [
        NOW + timedelta(seconds=half / 2) for half in range(3)
    ]
    later = NOW + timedelta(minutes=1)
    assert [job.pace(later), job.pace(later)] == [later, later + timedelta(seconds=0.5)]


def test_the_counts_follow_each_item() -> None:
    job = Job(counts={"waiting": 2})
    job.count("dispatched", before="waiting")
    job.count("refused", before="waiting")
    assert job.counts == {"waiting": 0, "dispatched": 1, "refused": 1}
    assert summary(job) == "1 dispatched, 1 refused"
    assert summary(Job(counts={})) == "nothing"


def test_what_is_older_than_the_inbox_is_too_old() -> None:
    recent, old = timezone.now() - timedelta(days=80), timezone.now() - timedelta(days=1000)
    assert not horizon.too_old(recent, None)
    assert not horizon.too_old(None)
    assert "too old" in horizon.too_old(recent, old)


LATER = Facts(generation=2, inbox=("open", 2, "redriven after failed"))


@pytest.mark.parametrize(
    ("facts", "is_so"),
    [
        (LATER, None),
        (Facts(generation=2), None),
        (replace(LATER, inbox=("done", 0, "")), ("done", "")),
        (replace(LATER, inbox=("failed", 2, "KeyError")), ("failed", "KeyError")),
        # The row of a generation before, whose message was slower than ours.
        (replace(LATER, inbox=("failed", 1, "KeyError")), None),
        (replace(LATER, again="poison"), ("failed", "poison")),
        (replace(LATER, again=""), ("failed", "")),
        (
            replace(LATER, deliveries=[Told("sent"), Told("failed", error="refused")]),
            ("failed", "refused"),
        ),
        (
            replace(LATER, inbox=("done", 2, ""), deliveries=[Told("sent"), Told("pending")]),
            None,
        ),
        (replace(LATER, inbox=("done", 2, ""), deliveries=[Told("retrying")]), None),
        (
            replace(LATER, inbox=("done", 2, ""), deliveries=[Told("unknown", next_try_at=NOW)]),
            None,
        ),
        (replace(LATER, inbox=("done", 2, ""), deliveries=[Told("unknown")]), ("done", "")),
        (
            replace(LATER, inbox=("done", 2, ""), deliveries=[Told("pending", "recipient_limit")]),
            ("done", ""),
        ),
        (replace(LATER, deliveries=[Told("sent")]), None),
        (replace(LATER, lost=True), ("refused", LOST)),
        (replace(LATER, lost=True, inbox=("done", 2, "")), ("done", "")),
        (replace(LATER, lost=True, again="poison"), ("failed", "poison")),
    ],
)
def test_an_item_is_done_or_failed_again_or_under_way(
    facts: Facts, is_so: tuple[str, str] | None
) -> None:
    assert ending(facts) == is_so


def test_the_stages_are_one_ten_a_hundred_and_all() -> None:
    assert [redrive.size_of(stage) for stage in range(1, 6)] == [1, 10, 100, None, None]
