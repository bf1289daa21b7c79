"""Fixtures on the real parts: PostgreSQL, SNS/SQS, the provider sandbox, workers and relays."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Callable, Generator, Iterator
from itertools import count
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.db import connection
from hypothesis import HealthCheck
from hypothesis import settings as hypothesis_settings

from notifications import topology
from notifications.aws.provision import Action, Provisioner, Step
from notifications.local.processes import Process
from notifications.local.providers.client import SandboxClient
from notifications.local.sandbox import send_receipts
from notifications.local.stack import Stack
from tests.stack import ROOT, stack_key

Start = Callable[..., Process]
_numbers = count(1)
_children = pytest.StashKey[list[Process]]()

hypothesis_settings.register_profile(
    "shared machine",
    parent=hypothesis_settings(),  # in CI Hypothesis takes another
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
hypothesis_settings.load_profile("shared machine")


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The longest first, so that processes that share the tests are done at the same time."""
    items.sort(key=_rank)


def _rank(item: pytest.Item) -> int:
    """The walk through a demo has one process for itself; the shortest are what is shared last."""
    if item.path.name.startswith("test_walk"):
        return 0
    tiers = ("acceptance", "browser", "integration", "unit")
    return 1 + next(rank for rank, tier in enumerate(tiers) if tier in item.path.parts)


@pytest.fixture(autouse=True)
def _log_levels() -> Iterator[None]:
    """A command that a test calls in this process sets levels for all of it."""
    loggers = [logging.getLogger(name) for name in ("notifications", "psycopg.pool")]
    levels = [logger.level for logger in loggers]
    yield
    for logger, level in zip(loggers, levels, strict=True):
        logger.setLevel(level)


@pytest.fixture(scope="session")
def stack(pytestconfig: pytest.Config) -> Stack:
    """The embedded parts of this pytest process."""
    return pytestconfig.stash[stack_key]


@pytest.fixture(scope="session")
def _sandbox_client(stack: Stack) -> Iterator[SandboxClient]:
    with SandboxClient(stack.environment["PROVIDER_SANDBOX_URL"]) as client:
        yield client


@pytest.fixture
def sandbox(_sandbox_client: SandboxClient) -> SandboxClient:
    """The provider sandbox, having accepted nothing and with nothing scripted."""
    _sandbox_client.reset()
    return _sandbox_client


@pytest.fixture
def receipts(environment: dict[str, str], stack: Stack, sandbox: SandboxClient) -> None:
    """Let the sandbox say later what became of each message, as the providers do."""
    send_receipts(stack.environment, topology.current().topic("receipts").physical)


@pytest.fixture
def empty_aws(stack: Stack) -> None:
    """SNS and SQS without a topic or queue."""
    stack.emulator.reset()


@pytest.fixture
def aws(empty_aws: None) -> None:
    """SNS and SQS with our topics and queues, and no message in them.

    As `provision` makes them, but for its first look at what is there: nothing is.
    """
    layout = topology.current()
    provisioner = Provisioner(layout)
    for each in (*layout.topics, *layout.queues, *layout.subscriptions):
        assert provisioner.carry_out(Step(Action.CREATE, each))


@pytest.fixture
def fifo(monkeypatch: pytest.MonkeyPatch, settings: Any) -> None:
    """The topic of orders is FIFO, here and in every process that the test starts.

    Comes before what makes queues, so ask for it by `@pytest.mark.usefixtures("fifo")`. Any test
    runs so with `NOTIFICATIONS_FIFO_TOPICS=order-events` in the environment of pytest.
    """
    monkeypatch.setenv("NOTIFICATIONS_FIFO_TOPICS", "order-events")
    settings.NOTIFICATIONS = settings.NOTIFICATIONS | {"FIFO_TOPICS": ["order-events"]}


@pytest.fixture
def environment(
    stack: Stack, transactional_db: None, aws: None, sandbox: SandboxClient
) -> dict[str, str]:
    """The whole environment of child processes: this test's database, queues and sandbox."""
    url = urlsplit(stack.environment["DATABASE_URL"])
    return {
        **os.environ,
        **stack.environment,
        "DATABASE_URL": url._replace(path=f"/{connection.settings_dict['NAME']}").geturl(),
        "DJANGO_SETTINGS_MODULE": "orders_site.settings",
        "PYTHONUNBUFFERED": "1",
        # What is declared (5 mails a second) is for the tests of limits, which set their own.
        **{f"{channel}_RATE_LIMIT": "none" for channel in ("EMAIL", "SMS", "WHATSAPP", "PUSH")},
    }


@pytest.fixture
def start(
    request: pytest.FixtureRequest, stack: Stack, environment: dict[str, str]
) -> Iterator[Start]:
    """`start(command, name=…, ready=…, within=…, **env)`: a process, killed after the test.

    Returns once the text `ready` stands in its log.
    """
    children = request.node.stash.setdefault(_children, [])

    def start(
        command: list[str | Path], *, name: str, ready: str = "", within: float = 60.0, **env: str
    ) -> Process:
        name = f"{name}-{next(_numbers)}"
        child = stack.processes.start(
            command,
            name=name,
            log=stack.directories.log(name),
            env={**environment, **env},
            cwd=ROOT,
        )
        children.append(child)
        child.wait_until(lambda: ready in child.log, within=within)
        return child

    yield start
    # Not asked to stop, which takes a worker seconds: tests about that ask it themselves, and
    # the next one finds the queues, their open polls and the database emptied all the same.
    for child in reversed(children):
        child.kill()


@pytest.fixture
def worker(start: Start) -> Start:
    """`worker("email", pool="threads", concurrency=8, **env)`: a real Celery worker, ready."""

    def worker(*queues: str, pool: str = "threads", concurrency: int = 8, **env: str) -> Process:
        number = next(_numbers)
        command = [
            *(sys.executable, "-m", "celery", "-A", "orders_site", "worker"),
            *("-Q", ",".join(queues), "--pool", pool, "--concurrency", str(concurrency)),
            *("--loglevel", "INFO", "--hostname", f"worker-{number}@%h"),
        ]
        return start(command, name=f"worker-{'-'.join(queues)}", ready=" ready.", **env)

    return worker


@pytest.fixture
def relay(start: Start) -> Start:
    """`relay(*arguments, **env)`: a real `manage.py relay`, ready."""

    def relay(*arguments: str, **env: str) -> Process:
        command = [sys.executable, "manage.py", "relay", *arguments]
        return start(command, name="relay", ready="ready", **env)

    return relay


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[Any]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """A test that fails shows what its processes wrote."""
    report = yield
    if report.failed:
        for child in item.stash.get(_children, []):
            report.sections.append((f"log of {child.name}", child.tail(60)))
    return report
