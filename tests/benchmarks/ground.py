"""The ground a benchmark stands on: PostgreSQL, fauxqs, and a proxy as far away as AWS."""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config

from notifications.local.faults import FaultProxy
from notifications.local.processes import Process
from notifications.local.stack import Stack

ROOT = Path(__file__).resolve().parents[2]
LOCAL = ROOT / ".local"
TICK = 0.02
"""Seconds between two looks at the queue: the precision of a measured time."""
CLOCK_TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Drained:
    """How a backlog of `sent` went down, from the first message done to the last.

    messages: those done in `seconds`; requests: all there were, sending included.
    """

    sent: int
    messages: int
    seconds: float
    cpu_seconds: float
    requests: Mapping[str, int]

    @property
    def per_second(self) -> float:
        return self.messages / self.seconds

    @property
    def requests_each(self) -> float:
        return sum(self.requests.values()) / self.sent

    @property
    def cpu_milliseconds(self) -> float:
        """CPU time of the consuming processes, per message."""
        return 1000 * self.cpu_seconds / self.messages


class Ground:
    """One stack with the proxy in front of its SNS and SQS."""

    def __init__(self, stack: Stack, proxy: FaultProxy, *, latency: float) -> None:
        self._stack = stack
        self._proxy = proxy
        self._latency = latency
        self.environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("AWS_")},
            **stack.environment,
            **proxy.environment,
            "PYTHONPATH": str(ROOT),
        }
        """For child processes: AWS lies behind the proxy."""
        self._sqs = self.client("sqs", endpoint=stack.environment["AWS_ENDPOINT_URL"])

    def client(self, service: str, *, endpoint: str | None = None) -> Any:
        """A boto3 client, through the proxy unless told otherwise."""
        return boto3.session.Session(
            aws_access_key_id=self.environment["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=self.environment["AWS_SECRET_ACCESS_KEY"],
            region_name=self.environment["AWS_DEFAULT_REGION"],
        ).client(
            service,
            endpoint_url=endpoint or self._proxy.url,
            config=Config(max_pool_connections=32),
        )

    def start(
        self, command: Sequence[str | Path], *, name: str, cwd: Path = ROOT, **env: str
    ) -> Process:
        """A process of this benchmark, its output in a log of its own."""
        return self._stack.processes.start(
            command,
            name=name,
            log=self._stack.directories.log(name),
            env={**self.environment, **env},
            cwd=cwd,
        )

    def run(self, command: Sequence[str | Path], *, name: str, **options: Any) -> None:
        """Run to its end. Raises RuntimeError with the end of its log when it fails."""
        process = self.start(command, name=name, **options)
        if process.wait(within=120):
            raise RuntimeError(f"{name} failed:\n{process.tail(40)}")

    @contextmanager
    def counted_from_here(self) -> Iterator[None]:
        """What is requested from now on counts; inside the block the distance is none."""
        self._proxy.client.reset()
        self._proxy.client.latency(0)
        yield
        self._proxy.client.latency(self._latency)

    def create_queue(self, name: str) -> str:
        """A plain queue; its URL."""
        attributes = {"VisibilityTimeout": "300"}
        url: str = self._sqs.create_queue(QueueName=name, Attributes=attributes)["QueueUrl"]
        return url

    def queue_url(self, name: str) -> str:
        url: str = self._sqs.get_queue_url(QueueName=name)["QueueUrl"]
        return url

    def depth(self, queue: str) -> int:
        """Messages that are not deleted yet, received ones too."""
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        answer = self._sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=names)
        return sum(int(answer["Attributes"][name]) for name in names)

    def drain(self, queue: str, consumer: Process, *, within: float = 120.0) -> Drained:
        """Watch `consumer` empty the queue, then end it. Its start-up is not measured."""
        backlog = self.depth(queue)
        deadline = time.monotonic() + within
        first = self._wait_for_less(queue, backlog, consumer, deadline)
        started, cpu = time.monotonic(), cpu_seconds(consumer)
        self._wait_for_less(queue, 1, consumer, deadline)
        seconds, cpu = time.monotonic() - started, cpu_seconds(consumer) - cpu
        requests = self._proxy.client.requests()
        consumer.kill()
        return Drained(backlog, first, seconds, cpu, requests)

    def _wait_for_less(self, queue: str, than: int, consumer: Process, deadline: float) -> int:
        while (depth := self.depth(queue)) >= than:
            if time.monotonic() > deadline or not consumer.alive:
                raise RuntimeError(
                    f"{consumer.name} left {depth} messages undone:\n{consumer.tail(40)}"
                )
            time.sleep(TICK)
        return depth


@contextmanager
def ground(*, latency: float, durable: bool = False) -> Iterator[Ground]:
    """Everything started, `latency` seconds of round trip away; thrown away at the end.

    durable: PostgreSQL waits for the disk at each commit, as in production.
    """
    home = LOCAL / "benchmarks"
    home.mkdir(parents=True, exist_ok=True)
    with (
        tempfile.TemporaryDirectory(dir=home) as directory,
        Stack(Path(directory), broker="fauxqs", shared=LOCAL, given={}, durable=durable) as stack,
    ):
        target = stack.environment["AWS_ENDPOINT_URL"]
        proxy = FaultProxy(stack.directories, stack.processes, target=target, latency=latency)
        proxy.start()
        yield Ground(stack, proxy, latency=latency)


def cpu_seconds(process: Process) -> float:
    """CPU time, user and system, of a process and its children (it leads a session)."""
    return sum(_session_times(process.pid)) / CLOCK_TICKS


def _session_times(session: int) -> Iterator[int]:
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = path.read_text().rpartition(")")[2].split()
        except OSError:  # it has ended meanwhile
            continue
        if int(fields[3]) == session:
            yield int(fields[11]) + int(fields[12])
