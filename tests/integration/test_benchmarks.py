"""The benchmarks' own machinery, with numbers too small to mean anything."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import pytest

from tests.benchmarks import announcement
from tests.benchmarks.bare_sends import send_alone
from tests.benchmarks.ground import Ground, ground
from tests.benchmarks.ours import Ours, Settings
from tests.benchmarks.provider import Provider
from tests.benchmarks.result import Result


@pytest.fixture(scope="module")
def here() -> Iterator[Ground]:
    with ground(latency=0.01) as here:
        yield here


def test_a_backlog_is_drained_timed_and_counted(here: Ground) -> None:
    queue = Ours(here)

    drained = queue.drain(Settings(concurrency=4), 600)

    assert here.depth(queue.queue) == 0
    assert drained.sent == 600
    assert drained.per_second > 0
    assert drained.cpu_milliseconds > 0
    assert drained.requests["PublishBatch"] == 60
    assert drained.requests["ReceiveMessage"] >= 60
    assert drained.requests["DeleteMessageBatch"] >= 60


def test_a_consumer_that_dies_is_shown_with_the_end_of_its_log(here: Ground) -> None:
    queue = here.create_queue("left")
    broken = here.start([sys.executable, "-c", "raise SystemExit('no such luck')"], name="broken")

    with pytest.raises(RuntimeError, match="no such luck"):
        here.drain(queue, broken)


def test_a_result_is_one_json_object_of_the_agreed_keys() -> None:
    result = Result("messages/s", ours=900, peer=45, limit=1000, rows=[], extra={"more": 1})

    assert result.as_json() == {
        "unit": "messages/s",
        "ours": 900,
        "peer": 45,
        "limit": 1000,
        "ratio_to_peer": 20.0,
        "ratio_to_limit": 0.9,
        "more": 1,
    }


def test_a_result_without_a_known_limit_names_none() -> None:
    assert not {"limit", "ratio_to_limit"} & set(Result("emails/s", 900, 45, None, []).as_json())


def test_the_call_alone_is_timed_without_its_first_mails(here: Ground) -> None:
    provider = Provider(here, seconds=0.0)

    sent = send_alone(here, 4, 100, **provider.environment)

    assert sent.sent == provider.taken() == 100
    assert sent.messages == 96
    assert sent.cpu_seconds > 0


def test_an_announcement_is_expanded_timed_and_weighed(here: Ground) -> None:
    result = announcement.measure(here, lambda step: None, (300, 600))

    assert result.ours > 0
    assert [row.settings for row in result.rows] == ["300 people", "600 people"]
    assert set(result.rows[0].figures) == {"people/s", "CPU ms each", "peak MB"}
