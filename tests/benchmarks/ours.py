"""Ours: events published to SNS in batches of ten, consumed by one worker of a project."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime

from notifications import envelope
from notifications.envelope import Envelope
from notifications.identifiers import uuid7
from notifications.local.processes import Process
from tests.benchmarks.ground import Drained, Ground

PREFIX = "bench"
BATCH = 10
_PUBLISHERS = 4


@dataclass(frozen=True)
class Project:
    """A Django project that consumes `bench.ordered`: its package, and its consumer's name."""

    package: str
    consumer: str

    @property
    def environment(self) -> dict[str, str]:
        return {"DJANGO_SETTINGS_MODULE": f"{self.package}.settings"}


EMPTY = Project("tests.benchmarks.project", "empty")
MAILER = Project("tests.benchmarks.mailer", "email")


@dataclass(frozen=True)
class Settings:
    """What an operator can turn."""

    concurrency: int

    def __str__(self) -> str:
        return f"threads {self.concurrency}"


class Ours:
    """The queue of the project's consumer, filled through its topic."""

    def __init__(self, ground: Ground, project: Project = EMPTY) -> None:
        self._ground = ground
        self._project = project
        for command in ("migrate", "provision"):
            ground.run(
                [sys.executable, "-m", "django", command, "--verbosity=0"],
                name=f"ours-{command}",
                **project.environment,
            )
        self.queue = ground.queue_url(f"{PREFIX}-{project.consumer}")
        self._dead_letters = ground.queue_url(f"{PREFIX}-{project.consumer}-dlq")
        self._sns = ground.client("sns")
        self._topic = self._sns.create_topic(Name=f"{PREFIX}-bench-events")["TopicArn"]

    def drain(self, settings: Settings, messages: int, **env: str) -> Drained:
        """Publish `messages` events, then time one worker process."""
        self.publish(messages)
        drained = self._ground.drain(self.queue, self.worker(settings, env))
        if dead := self._ground.depth(self._dead_letters):
            raise RuntimeError(f"{dead} of {messages} events became dead letters")
        return drained

    def publish(self, messages: int) -> None:
        with self._ground.counted_from_here(), ThreadPoolExecutor(_PUBLISHERS) as pool:
            list(pool.map(self._publish_batch, _numbers(messages)))

    def worker(self, settings: Settings, env: Mapping[str, str]) -> Process:
        """One worker process, just started."""
        command = [
            *(sys.executable, "-m", "celery", "-A", self._project.package, "worker"),
            *("--queues", self._project.consumer, "--pool", "threads"),
            *("--concurrency", str(settings.concurrency)),
        ]
        return self._ground.start(command, name="ours", **self._project.environment, **env)

    def _publish_batch(self, numbers: range) -> None:
        entries = [
            {"Id": str(number), "Message": event_text(number), "MessageAttributes": ATTRIBUTES}
            for number in numbers
        ]
        answer = self._sns.publish_batch(TopicArn=self._topic, PublishBatchRequestEntries=entries)
        if answer.get("Failed"):
            raise RuntimeError(f"SNS refused {len(answer['Failed'])} events")


def event_text(number: int) -> str:
    """One event as it travels."""
    return envelope.write(
        Envelope(
            id=uuid7(),
            type="bench.ordered",
            version=1,
            source="urn:benchmarks",
            subject=f"order/{number}",
            time=datetime.now(UTC),
            data={
                "order_id": number,
                "customer_id": number % 997,
                "total": 4990,
                "currency": "EUR",
                "lines": [{"sku": "MUG-BLUE", "quantity": 2}, {"sku": "TEA-GREEN", "quantity": 1}],
            },
        )
    )


ATTRIBUTES = {
    "event_type": {"DataType": "String", "StringValue": "bench.ordered"},
    "event_version": {"DataType": "String", "StringValue": "1"},
}


def _numbers(messages: int) -> Iterator[range]:
    return (range(start, min(start + BATCH, messages)) for start in range(0, messages, BATCH))
