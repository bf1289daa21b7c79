"""The horizon: how far back it is known what was done with an event."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.utils import timezone

from notifications.conf import conf


def too_old(*moments: datetime | None) -> str:
    """Why something with these times is not to be done once more; empty when it may be.

    What is older than the inbox may have been done, and nobody would know: it could be done
    twice. Times that are not known count for nothing.
    """
    known = [moment for moment in moments if moment is not None]
    days = conf().inbox_days
    if known and min(known) < timezone.now() - timedelta(days=days):
        return f"too old: what was done with it is known for {days} days only"
    return ""
