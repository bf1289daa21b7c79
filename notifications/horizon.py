"""The horizon: how far back it is known what was done with an event."""

from __future__ import annotations

from datetime import datetime

from notifications.conf import conf
from notifications.retention import inbox_since


def too_old(*moments: datetime | None) -> str:
    """Why something with these times is not to be done once more; empty when it may be.

    What is older than the inbox may have been done, and nobody would know: it could be done
    twice. Times that are not known count for nothing.
    """
    known = [moment for moment in moments if moment is not None]
    if known and min(known) < inbox_since():
        days = conf().retention.outcomes
        return f"too old: what was done with it is known for {days} days only"
    return ""
