"""The objectives, as a terminal and as JSON."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from notifications.burn import DAY, HOUR, WHOLE, WINDOWS, Standing
from notifications.durations import words

NOTHING = "-"
HEADINGS = (
    *("OBJECTIVE", "PART", "WITHIN", "LAST HOUR", "LAST DAY", "WINDOW", "BUDGET LEFT"),
    *(f"BURN {window}" for window in WINDOWS),
)


def lines(standings: list[Standing]) -> Iterator[tuple[str, bool]]:
    """Each line, and whether it wants a look. None where there is no objective."""
    if not standings:
        return
    cells = [HEADINGS, *map(_cells, standings)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    for row, warn in zip(cells, [False, *(each.is_fast for each in standings)], strict=True):
        first, *rest = row
        padded = (cell.rjust(width) for cell, width in zip(rest, widths[1:], strict=True))
        yield "  ".join([first.ljust(widths[0]), *padded]), warn


def as_json(standing: Standing) -> dict[str, Any]:
    """Spans in seconds; null where nothing was due."""
    objective = standing.objective
    return {
        "event_type": standing.event_type,
        "part": objective.part,
        "within": objective.within.total_seconds(),
        "window": objective.window.total_seconds(),
        "told": {
            name: {"due": tally.due, "in_time": tally.in_time, "part": tally.part}
            for name, window in (("last_hour", HOUR), ("last_day", DAY), ("window", WHOLE))
            for tally in (standing.told(window),)
        },
        "budget_left": standing.left,
        "burn": {
            window: {"ratio": standing.burn(window), "word": standing.word(window)}
            for window in WINDOWS
        },
        "fast": standing.is_fast,
    }


def _cells(standing: Standing) -> tuple[str, ...]:
    objective = standing.objective
    return (
        standing.event_type,
        f"{100 * objective.part:g} %",
        words(objective.within.total_seconds()),
        *(_percent(standing.told(window).part) for window in (HOUR, DAY, WHOLE)),
        _percent(standing.left),
        *(_burn(standing, window) for window in WINDOWS),
    )


def _percent(part: float | None) -> str:
    return NOTHING if part is None else f"{100 * part:.1f} %"


def _burn(standing: Standing, window: str) -> str:
    burn = standing.burn(window)
    return NOTHING if burn is None else f"{burn:.1f} {standing.word(window)}"
