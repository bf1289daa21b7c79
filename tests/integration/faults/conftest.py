"""A fault proxy in front of an emulator of its own, and boto3 clients that go through it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from typing import Any
from uuid import uuid4

import pytest

from notifications.local.directories import Directories
from notifications.local.faults import FaultClient, FaultProxy
from notifications.local.fauxqs import Fauxqs
from notifications.local.processes import Processes
from tests.integration.faults.calls import SHARED, connect


@pytest.fixture(scope="module")
def proxy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FaultProxy]:
    directories = Directories.of(tmp_path_factory.mktemp("faults"), SHARED)
    with Processes() as processes:
        emulator = Fauxqs(directories, processes, durable=False)
        emulator.start()
        front = FaultProxy(directories, processes, target=emulator.environment["AWS_ENDPOINT_URL"])
        front.start()
        yield front


@pytest.fixture
def faults(proxy: FaultProxy) -> Iterator[FaultClient]:
    client = proxy.client
    client.reset(seed=1)
    yield client
    client.reset()
    client.latency(0)


@pytest.fixture
def sqs(proxy: FaultProxy, faults: FaultClient) -> Iterator[Any]:
    with closing(connect("sqs", proxy)) as client:
        yield client


@pytest.fixture
def sns(proxy: FaultProxy, faults: FaultClient) -> Iterator[Any]:
    with closing(connect("sns", proxy)) as client:
        yield client


@pytest.fixture
def queue(sqs: Any, faults: FaultClient) -> Iterator[str]:
    url = sqs.create_queue(QueueName=f"queue-{uuid4()}")["QueueUrl"]
    faults.reset(seed=1)
    yield url
    faults.clear()
    sqs.delete_queue(QueueUrl=url)
