"""How far an announcement is: what became of its messages by channel, how fast it goes, and when
it will be over."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext

from notifications import rate_limits
from notifications.consumers import serving
from notifications.durations import words
from notifications.models import Announcement, Lane


@dataclass(frozen=True)
class LaneStanding:
    """One channel.

    people: whose message was put on its queue. settled: of how many it is known what became of
    them. counts: messages by "sent", "skipped:opted_out". pace: people a second, of late. limit:
    units a second that its account may be sent; None is no limit, or not known.
    seconds_left: at that pace, or at the limit before there is one; None: nobody can say.
    """

    channel: str
    people: int
    settled: int
    under_way: int
    postponed: int
    counts: Mapping[str, int]
    pace: float | None
    limit: float | None
    seconds_left: float | None


@dataclass(frozen=True)
class Standing:
    """total: how many people it will have reached, an estimate until the audience was gone through.
    seconds_left: of its slowest channel."""

    announcement: Announcement
    total: int
    lanes: Sequence[LaneStanding]
    seconds_left: float | None


def standing(announcement: Announcement) -> Standing:
    """Three statements, however large its audience."""
    people = total(announcement)
    rows = announcement.lanes.order_by("pk")
    lanes = [_lane(announcement, lane, people) for lane in rows]
    left = [lane.seconds_left for lane in lanes]
    known = [seconds for seconds in left if seconds is not None]
    return Standing(
        announcement, people, lanes, max(known, default=0.0) if len(known) == len(left) else None
    )


def seconds_for(
    people: int, channels: Sequence[str], rate: float | None
) -> dict[str, float | None]:
    """How long each channel takes for so many people, by its account's limit and `rate`."""
    return {
        channel: _duration(people, None, _slower(_limit(channel), rate)) for channel in channels
    }


def in_words(now: Standing) -> str:
    """ "12,000 of about 1,000,000 people, 50/s, another 5 h 29 min"."""
    announcement = now.announcement
    done = min((lane.settled for lane in now.lanes), default=0)
    counted = {"done": f"{done:,}", "total": f"{now.total:,}"}
    if announcement.expanded_at:
        said = gettext("%(done)s of %(total)s people") % counted
    else:
        said = gettext("%(done)s of about %(total)s people") % counted
    if announcement.state not in Announcement.RUNNING or not now.lanes:
        return said
    last = max(now.lanes, key=lambda lane: lane.seconds_left or 0.0)
    said += f", {last.pace:.3g}/s" if last.pace else ""
    if now.seconds_left is None:
        return said
    return said + ", " + gettext("another %(span)s") % {"span": words(now.seconds_left)}


def lane_in_words(lane: LaneStanding) -> str:
    """ "48 sent, 2 skipped (opted_out 2), 50 under way, 49.8/s of 50/s"."""
    parts = [f"{count:,} {_phrase(word)}" for word, count in sorted(lane.counts.items()) if count]
    if lane.under_way:
        parts.append(gettext("%(under_way)s under way") % {"under_way": f"{lane.under_way:,}"})
    if lane.postponed:
        parts.append(gettext("%(postponed)s put off") % {"postponed": f"{lane.postponed:,}"})
    if lane.pace is not None:
        limit = rate_limits.in_words(lane.limit)
        pace = _pace(lane.pace, limit[-1] if lane.limit else "s")
        of = {"pace": pace, "limit": limit}
        parts.append(gettext("%(pace)s of %(limit)s") % of if lane.limit else pace)
    return ", ".join(parts) or gettext("nothing yet")


def _pace(per_second: float, unit: str) -> str:
    """In the unit of the limit that it is held against: "20.2/m"."""
    return f"{per_second * {'s': 1, 'm': 60, 'h': 3600}[unit]:,.3g}/{unit}"


def as_json(now: Standing) -> dict[str, Any]:
    """One announcement, as `--json` and the API give it."""
    it = now.announcement
    return {
        "id": it.pk,
        "event_type": it.event_type,
        "audience": it.audience,
        "channels": list(it.channels),
        "data": it.data,
        "state": str(it.state),
        "rate": it.rate,
        "by": it.actor,
        "reason": it.reason,
        "total": now.total,
        "total_is_exact": it.expanded_at is not None,
        "people": it.people,
        "repeated": it.repeated,
        "refused": it.refused,
        "seconds_left": _rounded(now.seconds_left),
        "created_at": it.created_at,
        "expanded_at": it.expanded_at,
        "finished_at": it.finished_at,
        "lanes": [
            {
                "channel": lane.channel,
                "people": lane.people,
                "settled": lane.settled,
                "under_way": lane.under_way,
                "postponed": lane.postponed,
                "counts": dict(lane.counts),
                "pace": _rounded(lane.pace),
                "limit": lane.limit,
                "seconds_left": _rounded(lane.seconds_left),
            }
            for lane in now.lanes
        ],
    }


def _lane(announcement: Announcement, lane: Lane, people: int) -> LaneStanding:
    limit = _slower(_limit(lane.channel), announcement.rate)
    running = announcement.state in Announcement.RUNNING
    left = people - lane.settled if running else 0
    return LaneStanding(
        channel=lane.channel,
        people=lane.people,
        settled=lane.settled,
        under_way=lane.under_way,
        postponed=lane.postponed,
        counts={word: count for word, count in lane.counts.items() if count},
        pace=lane.pace if running and left > 0 else None,
        limit=limit,
        seconds_left=_duration(left, lane.pace, limit) if running else None,
    )


def total(announcement: Announcement) -> int:
    """How many people it will have reached, as far as is known."""
    if announcement.expanded_at is not None:
        return int(announcement.people)
    gone_through = announcement.people + announcement.repeated + announcement.refused
    return int(announcement.people + max(0, announcement.estimate - gone_through))


def _duration(people: int, pace: float | None, limit: float | None) -> float | None:
    """At the pace that was measured, or else at the limit."""
    if people <= 0:
        return 0.0
    speed = pace or limit
    return people / speed if speed else None


def _limit(channel: str) -> float | None:
    consumer = serving(channel)
    return rate_limits.in_force(consumer) if consumer else None


def _slower(limit: float | None, rate: float | None) -> float | None:
    known = [each for each in (limit, rate) if each is not None]
    return min(known, default=None)


def _phrase(word: str) -> str:
    kind, _, reason = word.partition(":")
    return f"{kind} ({reason})" if reason else {"nobody": "with nobody to tell"}.get(kind, kind)


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 1)
