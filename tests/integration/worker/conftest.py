"""A worker of the probe consumers, their queues, and what a test sends to and finds in them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from typing import Any, TypeVar

import boto3
import pytest

from notifications import envelope
from notifications.aws.provision import provision
from notifications.conf import conf
from notifications.envelope import Envelope
from notifications.identifiers import uuid7
from notifications.local.faults import FaultClient, FaultProxy
from notifications.local.processes import Process
from notifications.local.stack import Stack
from notifications.models import Event
from notifications.topology import compute
from tests.conftest import Start
from tests.waiting import wait_for
from tests.worker_app.queues import CONSUMERS, EVENT_TYPES

T = TypeVar("T")

_numbers = count(1)


@dataclass(frozen=True)
class Probes:
    """The probe queues, and the log of the probe tasks."""

    sqs: Any
    log: Path

    def send(self, script: str, *, queue: str = "probe", **data: Any) -> int:
        """One recorded event; its number."""
        [number] = self.send_many([script], queue=queue, **data)
        return number

    def send_many(
        self, scripts: Sequence[str], *, queue: str = "probe", record: bool = True, **data: Any
    ) -> list[int]:
        """One event for each script; their numbers. `record`: as the outbox would have."""
        numbers = [next(_numbers) for _ in scripts]
        for number, script in zip(numbers, scripts, strict=True):
            event = Envelope(
                id=uuid7(),
                type="probe.happened",
                version=1,
                source="urn:test",
                subject=f"probe/{number}",
                time=datetime.now(UTC),
                data={"number": number, "script": script, **data},
            )
            if record:
                Event.objects.create(
                    id=event.id,
                    type=event.type,
                    source=event.source,
                    subject=event.subject,
                    time=event.time,
                    data=event.data,
                )
            self.send_text(envelope.write(event), queue=queue)
        return numbers

    def send_text(self, body: str, *, queue: str = "probe", **options: Any) -> str:
        """Any body; its SQS message id."""
        answer = self.sqs.send_message(QueueUrl=self.url(queue), MessageBody=body, **options)
        return str(answer["MessageId"])

    def runs(self, number: int | None = None) -> list[str]:
        """A line for each run of a task so far: its name, number, retries, process and time."""
        lines = self.log.read_text().splitlines() if self.log.exists() else []
        return [line for line in lines if number is None or line.split()[1] == str(number)]

    def moments(self) -> list[float]:
        """When each run so far began, in Unix seconds."""
        return [float(line.split()[4]) for line in self.runs()]

    def counts(self, queue: str = "probe") -> tuple[int, int]:
        """Messages visible and in flight."""
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        answer = self.sqs.get_queue_attributes(QueueUrl=self.url(queue), AttributeNames=names)
        visible, in_flight = (int(answer["Attributes"][name]) for name in names)
        return visible, in_flight

    def is_empty(self, queue: str = "probe") -> bool:
        return self.counts(queue) == (0, 0)

    def are_served(self, queue: str = "probe", *, within: float = 15) -> bool:
        """Whether an event sent now is run. Fails when it takes too long."""
        number = self.send("succeed", queue=queue)
        wait_for(lambda: self.runs(number), within=within, what=f"an event on {queue} to be run")
        return True

    def dead_letters(self) -> list[dict[str, Any]]:
        """What lies in the dead-letter queue, taken out of it."""
        found: list[dict[str, Any]] = []
        while messages := self.sqs.receive_message(
            QueueUrl=self.url("probe-dlq"),
            MaxNumberOfMessages=10,
            MessageAttributeNames=["All"],
            WaitTimeSeconds=0,
        ).get("Messages"):
            found += messages
        return found

    def url(self, queue: str) -> str:
        return str(self.sqs.get_queue_url(QueueName=f"{conf().prefix}-{queue}")["QueueUrl"])


@pytest.fixture
def probes(environment: dict[str, str], tmp_path: Path) -> Iterator[Probes]:
    environment.update(
        DJANGO_SETTINGS_MODULE="tests.worker_app.settings",
        PROBE_LOG=str(tmp_path / "probe.log"),
        SQS_WAIT_SECONDS="1",
    )
    provision(compute(conf().prefix, frozenset(), CONSUMERS, EVENT_TYPES))
    sqs = boto3.session.Session().client(
        "sqs",
        endpoint_url=environment["AWS_ENDPOINT_URL"],
        region_name=environment["AWS_DEFAULT_REGION"],
        aws_access_key_id=environment["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=environment["AWS_SECRET_ACCESS_KEY"],
    )
    yield Probes(sqs, tmp_path / "probe.log")
    sqs.close()


@pytest.fixture(params=["threads", "prefork"])
def probe_worker(
    request: pytest.FixtureRequest, probes: Probes, worker: Start
) -> Callable[..., Process]:
    """Starts a worker of the probe consumer in either pool."""

    def probe_worker(*queues: str, concurrency: int = 4, **env: str) -> Process:
        return worker(*(queues or ("probe",)), pool=request.param, concurrency=concurrency, **env)

    return probe_worker


@pytest.fixture
def threads_worker(probes: Probes, worker: Start) -> Callable[..., Process]:
    """Starts a worker of the probe consumer in the default pool."""

    def threads_worker(*queues: str, concurrency: int = 4, **env: str) -> Process:
        return worker(*(queues or ("probe",)), pool="threads", concurrency=concurrency, **env)

    return threads_worker


def made_once(make: Callable[[Probes, Callable[..., Process]], T]) -> Any:
    """A fixture: what `make` saw of the probe queues and a worker of the default pool. It is made
    for the first test that asks; the others ask for no worker."""
    made: list[T] = []

    @pytest.fixture
    def seen(request: pytest.FixtureRequest) -> T:
        if not made:
            probes, start = map(request.getfixturevalue, ("probes", "threads_worker"))
            made.append(make(probes, start))
        return made[0]

    return seen


@pytest.fixture
def proxy(stack: Stack) -> Iterator[FaultProxy]:
    target = stack.environment["AWS_ENDPOINT_URL"]
    proxy = FaultProxy(stack.directories, stack.processes, target=target)
    proxy.start()
    yield proxy
    proxy.stop()


@pytest.fixture
def faults(proxy: FaultProxy) -> FaultClient:
    return proxy.client


@pytest.fixture
def far_worker(proxy: FaultProxy, threads_worker: Callable[..., Process]) -> Callable[..., Process]:
    """A worker whose SQS lies behind the fault proxy."""

    def far_worker(*queues: str, concurrency: int = 4, **env: str) -> Process:
        return threads_worker(*queues, concurrency=concurrency, **proxy.environment, **env)

    return far_worker
