"""Dead letters as rows: what lies in a dead-letter queue is taken out and kept."""

from __future__ import annotations

import json
from datetime import datetime

from notifications.dead_letters import Failure, Letter
from notifications.models import DeadLetter
from tests.queues import take_all


def are_kept(count: int, *, consumer: str = "email") -> bool:
    """Whether so many are open by now, with those that are taken from its queue just now."""
    for message in take_all(f"{consumer}-dlq"):
        said = {name: value["StringValue"] for name, value in message["MessageAttributes"].items()}
        keep(message["Body"], said, queue=consumer)
    return DeadLetter.objects.filter(state=DeadLetter.State.OPEN).count() == count


def keep(body: str, said: dict[str, str], *, queue: str) -> None:
    """A worker's letter: the body, and what the worker wrote on it."""
    event = json.loads(body)
    DeadLetter.objects.keep(
        Letter(
            queue=queue,
            dead_letters=f"test-{queue}-dlq",
            message_id=said["source_message_id"],
            body=body,
            failure=Failure(said["reason"], said["error_class"], said["error"]),
            first_seen=datetime.fromisoformat(said["first_seen"]),
            generation=event["generation"],
            event_id=event["id"],
            event_type=event["type"],
            subject=event["subject"],
        )
    )
