"""boto3 clients: made once, shared by threads, never by processes."""

from __future__ import annotations

import multiprocessing
from concurrent.futures import ThreadPoolExecutor

import pytest

from notifications.aws.clients import MAX_POOL_CONNECTIONS, client


def test_threads_share_one_client() -> None:
    with ThreadPoolExecutor(8) as pool:
        made = set(pool.map(lambda _: id(client("sqs", read_timeout=3)), range(32)))

    assert len(made) == 1


def test_other_timeouts_make_another_client() -> None:
    assert client("sqs") is client("sqs")
    assert client("sqs") is not client("sqs", read_timeout=1)
    assert client("sqs") is not client("sns")


def test_a_client_has_timeouts_and_as_many_tries_as_asked_for() -> None:
    config = client("sns", connect_timeout=2, read_timeout=4, total_max_attempts=1).meta.config

    assert (config.connect_timeout, config.read_timeout) == (2, 4)
    assert config.retries["total_max_attempts"] == 1
    assert config.max_pool_connections == MAX_POOL_CONNECTIONS


def test_an_idle_long_poll_is_no_timeout() -> None:
    assert client("sqs").meta.config.read_timeout > 20


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_a_forked_process_makes_its_own() -> None:
    parent = id(client("sqs"))
    context = multiprocessing.get_context("fork")
    answers = context.SimpleQueue()
    held = client("sqs")  # alive, so that its id cannot be used again

    child = context.Process(target=lambda: answers.put(id(client("sqs"))))
    child.start()
    child.join(10)

    assert child.exitcode == 0
    assert answers.get() != parent == id(held)
