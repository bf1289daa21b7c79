"""The queues and workers of the limited project, and those of plain Celery beside it."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg

from notifications.local.processes import Process
from tests.benchmarks import peer
from tests.benchmarks.ground import Ground
from tests.benchmarks.ours import BATCH, PREFIX, event_text

SETTINGS = {"DJANGO_SETTINGS_MODULE": "tests.benchmarks.limited.settings"}
CONCURRENCY = 8
READY_WITHIN = 60.0
_SENDERS = 8


class House:
    """Ours: one consumer for each channel, limited to so many units a second."""

    def __init__(self, ground: Ground, limits: Mapping[str, int]) -> None:
        self._ground = ground
        self._environment = {**SETTINGS, **_limits(limits)}
        for command in ("migrate", "provision"):
            arguments = [sys.executable, "-m", "django", command, "--verbosity=0"]
            ground.run(arguments, name=f"limited-{command}", **self._environment)
        self._sqs = ground.client("sqs")
        self._queues = {channel: ground.queue_url(f"{PREFIX}-{channel}") for channel in limits}

    def send(self, channel: str, messages: int) -> None:
        """So many events to the channel's queue."""
        with ThreadPoolExecutor(_SENDERS) as pool:
            starts = range(0, messages, BATCH)
            list(pool.map(lambda start: self._send(channel, start, messages), starts))

    @contextmanager
    def workers(self, number: int) -> Iterator[None]:
        """So many processes, ready; killed at the end, with what they have left."""
        command: list[str | Path] = [
            *(sys.executable, "-m", "celery", "-A", "tests.benchmarks.limited", "worker"),
            *("--queues", ",".join(self._queues), "--pool", "threads"),
            *("--concurrency", str(CONCURRENCY), "--loglevel", "INFO"),
        ]
        with _running(self._ground, command, number, self._environment):
            yield
        self._clear()

    def hidden(self) -> int:
        """Messages that workers hold at this moment."""
        return _hidden(self._sqs, self._queues.values())

    def dead_letters(self) -> int:
        queues = [self._ground.queue_url(f"{PREFIX}-{channel}-dlq") for channel in self._queues]
        return sum(self._ground.depth(queue) for queue in queues)

    def _send(self, channel: str, start: int, end: int) -> None:
        entries = [
            {"Id": str(number), "MessageBody": event_text(number)}
            for number in range(start, min(start + BATCH, end))
        ]
        answer = self._sqs.send_message_batch(QueueUrl=self._queues[channel], Entries=entries)
        if answer.get("Failed"):
            raise RuntimeError(f"SQS refused {len(answer['Failed'])} messages")

    def _clear(self) -> None:
        for queue in self._queues.values():
            self._sqs.purge_queue(QueueUrl=queue)
        with psycopg.connect(self._ground.environment["DATABASE_URL"]) as connection:
            connection.execute("TRUNCATE notifications_ratelimit, notifications_breaker")


class PlainHouse:
    """Plain Celery's: two tasks with `rate_limit`, each on a queue of its own."""

    def __init__(self, ground: Ground, limits: Mapping[str, int]) -> None:
        self._ground = ground
        self._python = peer.python()
        self._sqs = ground.client("sqs")
        self._queues = {
            "PEER_QUEUE_URL": ground.create_queue("peer"),
            "PEER_SMS_QUEUE_URL": ground.create_queue("peer-sms"),
        }
        self._environment = {**self._queues, **_limits(limits), "PEER_BODY": "{}", "PYTHONPATH": ""}

    def send(self, emails: int, texts: int) -> None:
        with self._ground.counted_from_here():
            command = [self._python, "limited.py", str(emails), str(texts)]
            self._ground.run(command, name="peer-fill", cwd=peer.HERE, **self._environment)

    @contextmanager
    def workers(self, number: int) -> Iterator[None]:
        command: list[str | Path] = [
            *(self._python, "-m", "celery", "-A", "limited", "worker", "--queues", "peer,peer-sms"),
            *("--pool", "threads", "--concurrency", str(CONCURRENCY), "--loglevel", "INFO"),
            *("--without-gossip", "--without-mingle", "--without-heartbeat"),
        ]
        with _running(self._ground, command, number, self._environment, cwd=peer.HERE):
            yield

    def hidden(self) -> int:
        return _hidden(self._sqs, self._queues.values())


@contextmanager
def _running(
    ground: Ground,
    command: list[str | Path],
    number: int,
    environment: Mapping[str, str],
    **options: Any,
) -> Iterator[None]:
    workers: list[Process] = []
    try:
        for each in range(number):
            arguments = [*command, "--hostname", f"worker-{each}@%h"]
            workers.append(ground.start(arguments, name=f"worker-{each}", **options, **environment))
        for worker in workers:
            worker.wait_until(lambda worker=worker: " ready." in worker.log, within=READY_WITHIN)  # type: ignore[misc]
        yield
        for worker in workers:
            if not worker.alive:
                raise RuntimeError(f"{worker.name} ended by itself:\n{worker.tail(40)}")
    finally:
        for worker in workers:
            worker.kill()


def _limits(limits: Mapping[str, int]) -> dict[str, str]:
    return {f"BENCH_{channel.upper()}_LIMIT": f"{limit}/s" for channel, limit in limits.items()}


def _hidden(sqs: Any, queues: Any) -> int:
    name = "ApproximateNumberOfMessagesNotVisible"
    answers = [sqs.get_queue_attributes(QueueUrl=url, AttributeNames=[name]) for url in queues]
    return sum(int(answer["Attributes"][name]) for answer in answers)
