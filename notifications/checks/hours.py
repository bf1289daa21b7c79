"""System checks of what waits for its recipient: quiet hours and digests."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, time, timedelta

from django.core.checks import CheckMessage, Error
from django.core.exceptions import ImproperlyConfigured

from notifications import digests, events
from notifications.conf import Digest, QuietHours, conf
from notifications.exceptions import UnknownEvent
from notifications.wall_clock import time_of_day

A_DAY = timedelta(days=1)


def check_quiet_hours() -> Iterator[CheckMessage]:
    """Each is of a channel that there is, can be read, and leaves some of the day."""
    for channel, hours in sorted(conf().quiet_hours.items()):
        for problem in _problems_of_hours(channel, hours):
            yield Error(
                f'NOTIFICATIONS["QUIET_HOURS"][{channel!r}]: {problem}',
                hint='Give QuietHours("21:00", "08:00"), for a channel that is configured.',
                id="notifications.E047",
            )


def check_digests() -> Iterator[CheckMessage]:
    """Each can be read, is one and the same wherever it is named, and holds what is worth it."""
    known: dict[str, Digest] = {}
    for event_type, routes in sorted(conf().routes.items()):
        for digest in (route.digest for route in routes if route.digest):
            yield from _of_route(event_type, digest)
            if known.setdefault(digest.name, digest) != digest:
                yield _unreadable(digest, "is described in two ways")
    for digest in known.values():
        for problem in _problems_of_digest(digest):
            yield _unreadable(digest, problem)


def _problems_of_hours(channel: str, hours: QuietHours) -> Iterator[str]:
    if channel not in conf().channels:
        yield "there is no such channel."
    try:
        begin, end = time_of_day(hours.begin), time_of_day(hours.end)
    except (ImproperlyConfigured, TypeError) as error:
        yield str(error)
        return
    if type(hours.spread) is not int or hours.spread < 0:
        yield f"spread is {hours.spread!r}, which is no whole number of minutes."
    elif timedelta(minutes=hours.spread) >= A_DAY - _length(begin, end):
        yield "nothing is left of the day: the hours and their spread are as long as it."


def _length(begin: time, end: time) -> timedelta:
    """From the one to the other, the next day's if need be; the same twice is a whole day."""
    some_day = datetime(2001, 1, 1)  # noqa: DTZ001 - of no zone
    length = datetime.combine(some_day, end) - datetime.combine(some_day, begin)
    return length if length > timedelta() else length + A_DAY


def _of_route(event_type: str, digest: Digest) -> Iterator[CheckMessage]:
    try:
        kind = events.newest(event_type)
    except UnknownEvent:
        return  # E007 says so
    if kind.category != digest.category:
        yield _unreadable(
            digest,
            f"is of the category {digest.category!r}, and tells of {event_type}, which is "
            f"{kind.category!r}: who opts out of the one would hear of the other",
        )
    if kind.urgent:
        yield Error(
            f"{event_type} is urgent, and told in the digest {digest.name!r}: it would wait.",
            hint="Give it a Route without a digest, or take urgent=True from its @event.",
            id="notifications.E048",
        )
    longest = A_DAY if digest.at else digest.window
    if isinstance(longest, timedelta) and longest > kind.worth_sending_for:
        yield Error(
            f"{event_type} is worth sending for {kind.worth_sending_for}, and may wait {longest} "
            f"for the digest {digest.name!r}: it would be left out as expired.",
            hint="Raise worth_sending_for of its @event, or let the digest come more often.",
            id="notifications.E050",
        )


def _problems_of_digest(digest: Digest) -> Iterator[str]:
    if not events.is_name(digest.name):
        yield "has a name of another form than an event type's (orders.daily)"
    elif not digests.is_free(digest.name):
        yield "has the name of one of your events: give it one of its own"
    if digest.category not in conf().categories:
        yield f"is of the category {digest.category!r}, which is none"
    if type(digest.most) is not int or digest.most < 1:
        yield f"holds at most {digest.most!r}, which is no whole number from 1 on"
    window = digest.window if isinstance(digest.window, timedelta) else None
    if window is None or window < timedelta() or bool(window) is bool(digest.at):
        yield 'needs either at="08:00" or a window=timedelta(…)'
    elif digest.at:
        try:
            time_of_day(digest.at)
        except (ImproperlyConfigured, TypeError) as error:
            yield f"is told at no time: {error}"


def _unreadable(digest: Digest, problem: str) -> CheckMessage:
    return Error(
        f"The digest {digest.name!r} {problem}.",
        hint='Mend it in NOTIFICATIONS["ROUTES"]: Route("email", digest=Digest("orders.daily", '
        'at="08:00")).',
        id="notifications.E049",
    )
