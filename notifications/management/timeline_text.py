"""A timeline as a terminal shows it: completeness first, then event by event, as wide as it is."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from datetime import date
from uuid import UUID

from django.utils import timezone

from notifications.bodies import printable
from notifications.timeline import Timeline, Told
from notifications.timeline_entries import Entry, Kind

NARROWEST = 60
"""Columns; of a terminal that is narrower, the lines break where they will."""

_KIND = max(len(kind) for kind in Kind)


def lines(found: Timeline, width: int) -> Iterator[str]:
    """Without line ends. width: columns of the terminal."""
    width = max(NARROWEST, width)
    yield found.subject
    if found.events:
        yield from wrapped(f"{found.completeness.words(found.at)}", "  ", width)
    for table in found.cut:
        yield f"  of its {table} only the latest are shown"
    told = {each.event_id: each for each in found.events}
    for event_id, entries in _grouped(found, told).items():
        yield ""
        yield from _heading(event_id, told, found, width)
        yield from _moments(entries, width)
        for each in told[event_id].lags if event_id in told else ():
            yield from wrapped(each.words, "    lag  ", width)


def _grouped(found: Timeline, told: dict[UUID, Told]) -> dict[UUID | None, list[Entry]]:
    """What belongs to no one event, then each event in order of time, also those no longer kept."""
    groups: dict[UUID | None, list[Entry]] = {None: []} | {event_id: [] for event_id in told}
    for entry in found.entries:
        groups.setdefault(entry.event_id, []).append(entry)
    return {event_id: entries for event_id, entries in groups.items() if entries}


def _heading(
    event_id: UUID | None, told: dict[UUID, Told], found: Timeline, width: int
) -> Iterator[str]:
    if event_id is None:
        yield "  as a whole"
    elif event := told.get(event_id):
        yield f"  {event.type}  {event_id}"
        yield from wrapped(event.completeness.words(found.at), "  ", width)
    else:
        yield f"  an event that is no longer kept  {event_id}"


def _moments(entries: list[Entry], width: int) -> Iterator[str]:
    day: date | None = None
    for entry in entries:
        at = timezone.localtime(entry.at)
        if at.date() != day:
            day = at.date()
            yield f"    {at:%Y-%m-%d %Z}"
        clock = f"{at:%H:%M:%S}.{at.microsecond // 1000:03d}"
        kind = entry.kind.replace("_", " ")
        said = f"{entry.what}; {entry.detail}" if entry.detail else entry.what
        yield from wrapped(said, f"    {clock}  {kind:<{_KIND}}  ", width)


def wrapped(text: str, before: str, width: int) -> list[str]:
    """The text after `before`, its further lines below its first."""
    plain = printable(" ".join(text.split()))
    return textwrap.wrap(
        plain,
        width,
        initial_indent=before,
        subsequent_indent=" " * len(before),
        break_on_hyphens=False,  # an id is copied whole
    ) or [before.rstrip()]
