"""What the probe consumers are: their queues, limits and events. Importing it registers nothing.

They keep no inbox: what a row says of failures and starts is for their tests to see.
"""

import os
from datetime import timedelta

from notifications.consumers import Consumer
from notifications.events import EventData, EventType

CONSUMERS = (
    Consumer(
        "probe",
        task="probe.run",
        wants=frozenset({"probe.happened"}),
        max_seconds=int(os.environ.get("PROBE_MAX_SECONDS", "10")),
        max_retries=2,
        bulk=True,
        inbox=False,
    ),
    Consumer(
        "other",
        task="probe.other",
        wants=frozenset(),
        max_seconds=10,
        max_retries=2,
        inbox=False,
    ),
)
EVENT_TYPES = (
    EventType("probe.happened", 1, EventData, "probe/{number}", "probe-events", timedelta(days=1)),
)


def crowd(count: int, *, bulk: bool = False) -> tuple[Consumer, ...]:
    """So many consumers more, which share one task; `bulk`: each with a bulk queue."""
    return tuple(
        Consumer(
            f"crowd-{number}",
            task="probe.other",
            wants=frozenset(),
            max_seconds=10,
            bulk=bulk,
            inbox=False,
        )
        for number in range(count)
    )
