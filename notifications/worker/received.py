"""Received: one message of SQS that this worker holds."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from notifications import tracing
from notifications.envelope import Envelope
from notifications.worker.queues import PolledQueue


@dataclass(slots=True, eq=False)
class Received:
    """What SQS gave, typed. `handle` names this one receive, `message_id` the message for life.

    sent_at, first_received_at: Unix seconds, by SQS's clock. held_since, hidden_since, started_at
    and turn: monotonic seconds, the same in every process of this host.
    turn: the start of the unit of its account's rate that was bought before it was received.
    probe: it is the one message that may pass its account's open breaker.
    in_thread: its task runs in a thread, which nobody can kill.
    hidden_since, extensions: when SQS was last asked to hide it, and how often since its receipt.
    extending: SQS is being asked just now. lost: it said that somebody else has it.
    overdue: its task takes longer than it may.
    """

    queue: PolledQueue
    message_id: str
    handle: str
    body: str
    receive_count: int
    sent_at: float
    first_received_at: float
    group: str = ""
    attributes: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    held_since: float = field(default_factory=time.monotonic)
    started_at: float | None = None
    event: Envelope | None = None
    turn: float | None = None
    probe: bool = False
    in_thread: bool = False
    hidden_since: float = 0.0
    extensions: int = 0
    extending: bool = False
    lost: bool = False
    overdue: bool = False

    def __post_init__(self) -> None:
        self.hidden_since = self.held_since

    @property
    def started(self) -> bool:
        """Whether its task has begun."""
        return self.started_at is not None

    @property
    def traceparent(self) -> str:
        """The trace that its message belongs to, which may be another than its event's."""
        said = self.attributes.get(tracing.HEADER, {})
        return tracing.read(said.get("StringValue"))

    @classmethod
    def of(cls, queue: PolledQueue, message: Mapping[str, Any]) -> Received:
        """From one entry of ReceiveMessage's answer."""
        system = message.get("Attributes", {})
        return cls(
            queue=queue,
            message_id=message["MessageId"],
            handle=message["ReceiptHandle"],
            body=message.get("Body", ""),
            receive_count=int(system.get("ApproximateReceiveCount", 1)),
            sent_at=int(system.get("SentTimestamp", 0)) / 1000,
            first_received_at=int(system.get("ApproximateFirstReceiveTimestamp", 0)) / 1000,
            group=system.get("MessageGroupId", ""),
            attributes=message.get("MessageAttributes", {}),
        )
