"""System checks of FIFO topics: who gets no order although one of its topics keeps it."""

from __future__ import annotations

from collections.abc import Iterator

from django.core.checks import CheckMessage, Info
from django.core.exceptions import ImproperlyConfigured

from notifications import topology


def check_order() -> Iterator[CheckMessage]:
    """No warning: to most such consumers, which count or record, the order does not matter."""
    try:
        layout = topology.current()
    except ImproperlyConfigured:
        return  # E002 says it
    kept = {topic.physical: topic.name for topic in layout.topics if topic.fifo}
    for queue in layout.queues:
        if queue.fifo or queue.role is not topology.Role.MAIN:
            continue
        if unordered := sorted(kept[sender] for sender in queue.senders if sender in kept):
            yield Info(
                f"Consumer {queue.consumer!r} takes events of FIFO and of standard topics, so its "
                f"queue is a standard one: those of {', '.join(unordered)} come in any order.",
                hint='Where the order matters to it, name all of its topics in NOTIFICATIONS["'
                'FIFO_TOPICS"], or register two consumers.',
                id="notifications.I001",
            )
