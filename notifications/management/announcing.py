"""What `announce` and `announcements` share: watching one until it rests."""

from __future__ import annotations

from typing import Any

from notifications import announcement_progress, announcements
from notifications.announcement_progress import Standing, lane_in_words
from notifications.management.interrupts import until_interrupted
from notifications.management.verbs import local_moment
from notifications.models import Announcement

LOOK = 1.0
"""Seconds between two lines."""


def watch(number: int, out: Any, *, quiet: bool = False) -> Announcement:
    """Say how far it is until it is done, paused or cancelled, and give it as it is then. To stop
    watching (Ctrl-C) stops nothing else. Raises announcements.Refused."""
    said = ""
    with until_interrupted() as interrupted:
        while True:
            now = announcement_progress.standing(announcements.find(number))
            line = summary(now)
            if line != said and not quiet:
                out.write(line)
                out.flush()
                said = line
            if now.announcement.state not in Announcement.RUNNING or interrupted.wait(LOOK):
                return now.announcement


def summary(now: Standing) -> str:
    it = now.announcement
    return f"{it.pk}  {it.state:<9}  {announcement_progress.in_words(now)}"


def details(now: Standing) -> list[str]:
    """Of one that is shown: who began it, each channel, and its log."""
    it = now.announcement
    width = max(map(len, it.channels), default=0)
    lines = [
        summary(now),
        f"  {it.event_type} to {it.audience}, begun {local_moment(it.created_at)} by {it.actor}",
        f"  {it.reason}",
        *(f"  {lane.channel:<{width}}  {lane_in_words(lane)}" for lane in now.lanes),
    ]
    if it.repeated or it.refused:
        lines.append(f"  {it.repeated:,} rows of somebody told already, {it.refused:,} refused")
    for entry in it.log.order_by("id"):
        by = f" ({entry.by})" if entry.by else ""
        lines.append(f"  {local_moment(entry.at)}  {entry.text}{by}")
    return lines
