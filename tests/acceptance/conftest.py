"""What the acceptance tests share: an order, raw queues, and counting at the providers."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from io import StringIO
from typing import Any

import pytest
from django.core.management import call_command

from notifications import topology
from notifications.aws.clients import client
from notifications.aws.sqs import queue_url
from orders_site.customers.models import Customer
from orders_site.orders.models import Order
from orders_site.orders.samples import Samples
from tests.stack import ROOT


@pytest.fixture(params=["standard", "FIFO"])
def kind_of_topic(request: pytest.FixtureRequest) -> str:
    """Runs a test twice, by the topic's one setting. Its first argument: queues come after it."""
    if request.param == "FIFO":
        request.getfixturevalue("fifo")
    return str(request.param)


@pytest.fixture
def customer(environment: dict[str, str]) -> Customer:
    """Somebody who can be reached by mail alone."""
    return Customer.objects.create(
        first_name="Ada",
        last_name="Lovelace",
        email="ada@example.org",
        country="GB",
        locale="en",
        push_consent=False,
    )


@pytest.fixture
def order(customer: Customer) -> Order:
    """An order of hers, its event waiting in the outbox."""
    return Samples(seed=1).place(customer)


@pytest.fixture
def manage(environment: dict[str, str]) -> Callable[..., str]:
    """`manage("provision", **env)`: run a command; gives what it printed.

    In a process of its own where the environment is to be another one, which costs seconds.
    """

    def manage(*arguments: str, module: str = "", **env: str) -> str:
        if not env:
            output = StringIO()
            call_command(*arguments, stdout=output, no_color=True)
            return output.getvalue()
        program = ["-m", module] if module else ["manage.py"]
        done = subprocess.run(
            [sys.executable, *program, *arguments],
            cwd=ROOT,
            env={**environment, **env},
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    return manage


class RawQueue:
    """A queue as anybody with an AWS client sees it."""

    def __init__(self, name: str) -> None:
        self._sqs: Any = client("sqs")
        self._url = queue_url(topology.current().queue(name).physical)

    def send(self, body: str) -> None:
        self._sqs.send_message(QueueUrl=self._url, MessageBody=body)

    def held(self) -> int:
        """Messages in it, visible, invisible or delayed."""
        names = [
            "ApproximateNumberOfMessages",
            "ApproximateNumberOfMessagesNotVisible",
            "ApproximateNumberOfMessagesDelayed",
        ]
        answer = self._sqs.get_queue_attributes(QueueUrl=self._url, AttributeNames=names)
        return sum(int(answer["Attributes"][name]) for name in names)


@pytest.fixture
def raw_queue(environment: dict[str, str]) -> Callable[[str], RawQueue]:
    return RawQueue
