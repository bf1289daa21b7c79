"""System check of the retention: what was done must be remembered for longer than it can come."""

from __future__ import annotations

from collections.abc import Iterator

from django.core.checks import CheckMessage, Error

from notifications import topology
from notifications.conf import conf

ON_ITS_WAY = 2 * topology.RETENTION // (24 * 3600)
"""Days that a message may take: in its queue, and once more in its dead-letter queue."""


def check_retention() -> Iterator[CheckMessage]:
    """Outcomes outlive events and dead letters, and what these have put on its way."""
    kept = conf().retention
    for name in ("events", "dead_letters"):
        needed = getattr(kept, name) + ON_ITS_WAY
        if kept.outcomes < needed:
            yield Error(
                f"{name} are kept for {getattr(kept, name)} days and outcomes for "
                f"{kept.outcomes}: what was done could be forgotten while a redrive or a replay "
                "of it is on its way, and be done twice.",
                hint=f'Give NOTIFICATIONS["RETENTION"] outcomes={needed} or more (a message may '
                f"be on its way for {ON_ITS_WAY} days), or a smaller {name}.",
                id="notifications.E020",
            )
