"""Ours: events published to SNS in batches of ten, consumed by one worker of `project`."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime

from notifications import envelope
from notifications.envelope import Envelope
from notifications.identifiers import uuid7
from notifications.local.processes import Process
from tests.benchmarks.ground import Drained, Ground

SETTINGS = {"DJANGO_SETTINGS_MODULE": "tests.benchmarks.project.settings"}
PREFIX = "bench"
BATCH = 10
_PUBLISHERS = 4


@dataclass(frozen=True)
class Settings:
    """What an operator can turn."""

    concurrency: int

    def __str__(self) -> str:
        return f"threads {self.concurrency}"


class Ours:
    """The queue of the consumer `empty`, filled through its topic."""

    def __init__(self, ground: Ground) -> None:
        self._ground = ground
        for command in ("migrate", "provision"):
            ground.run(
                [sys.executable, "-m", "django", command, "--verbosity=0"],
                name=f"ours-{command}",
                **SETTINGS,
            )
        self.queue = ground.queue_url(f"{PREFIX}-empty")
        self._dead_letters = ground.queue_url(f"{PREFIX}-empty-dlq")
        self._sns = ground.client("sns")
        self._topic = self._sns.create_topic(Name=f"{PREFIX}-bench-events")["TopicArn"]

    def drain(self, settings: Settings, messages: int) -> Drained:
        """Publish `messages` events, then time one worker process."""
        self.publish(messages)
        drained = self._ground.drain(self.queue, self._worker(settings))
        if dead := self._ground.depth(self._dead_letters):
            raise RuntimeError(f"{dead} of {messages} events became dead letters")
        return drained

    def publish(self, messages: int) -> None:
        with self._ground.counted_from_here(), ThreadPoolExecutor(_PUBLISHERS) as pool:
            list(pool.map(self._publish_batch, _numbers(messages)))

    def _publish_batch(self, numbers: range) -> None:
        entries = [
            {"Id": str(number), "Message": event_text(number), "MessageAttributes": ATTRIBUTES}
            for number in numbers
        ]
        answer = self._sns.publish_batch(TopicArn=self._topic, PublishBatchRequestEntries=entries)
        if answer.get("Failed"):
            raise RuntimeError(f"SNS refused {len(answer['Failed'])} events")

    def _worker(self, settings: Settings) -> Process:
        command = [
            *(sys.executable, "-m", "celery", "-A", "tests.benchmarks.project", "worker"),
            *("--queues", "empty", "--pool", "threads"),
            *("--concurrency", str(settings.concurrency)),
        ]
        return self._ground.start(command, name="ours", **SETTINGS)


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
