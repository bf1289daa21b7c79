"""What a run has shown: the table, which is Markdown, and the line that a program reads."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rich.console import Console

from tests.chaos.report import Report
from tests.soak.judge import Trend, trend
from tests.soak.kinds import BOUNDS, Kind
from tests.soak.watch import Series

HEAD = ("", "of", "at half time", "at the end", "an hour", "bound", "")
EACH = frozenset({Kind.MEMORY, Kind.CONNECTIONS, Kind.UNDER_WAY, Kind.UNPUBLISHED})
"""Kinds of which every series has a line; of the others the worst, and whatever grows."""


@dataclass(frozen=True)
class Outcome:
    """books: what was lost or done twice, by the fault lab. trends: by (kind, whose). capacity,
    per_second: orders. ended: processes that ended although nobody told them to."""

    books: Report
    trends: Mapping[tuple[Kind, str], Trend]
    minutes: float
    capacity: float
    per_second: float
    ended: Sequence[str]

    @classmethod
    def of(cls, books: Report, series: Series, **facts: Any) -> Outcome:
        trends = {(kind, whose): trend(it, BOUNDS[kind]) for (kind, whose), it in series.items()}
        return cls(books, trends, **facts)

    @property
    def growing(self) -> list[tuple[Kind, str]]:
        return [name for name, it in self.trends.items() if it.grows]

    @property
    def good(self) -> bool:
        return self.books.good and not self.growing and not self.ended

    def show(self, console: Console) -> None:
        """The books, then the table as docs/reliability.md has it, then what is wrong."""
        self.books.show(console)
        for line in self.lines():
            console.print(line, markup=False, soft_wrap=True)
        for kind, whose in self.growing:
            console.print(f"  it grows: {kind} of {whose}", style="red")
        for who in self.ended:
            console.print(f"  ended by itself: {who}", style="red", markup=False)
        console.print("held: nothing grows" if self.good else "[red]FAILED[/]")

    def lines(self) -> Iterator[str]:
        """Markdown."""
        yield (
            f"{self.minutes:.0f} minutes at {self.per_second:.1f} orders a second, half of "
            f"{self.capacity:.1f}; {self.books.called:,} orders, "
            f"{self.books.total.accepted:,} messages accepted, {len(self.books.total.lost)} lost, "
            f"{len(self.books.total.doubled)} doubled."
        )
        yield ""
        yield _row(HEAD)
        yield "|" + "---|" * len(HEAD)
        for kind in Kind:
            yield from self._lines_of(kind)

    def as_line(self) -> str:
        return json.dumps(
            {
                **self.books.as_json(),
                "minutes": round(self.minutes, 1),
                "capacity": round(self.capacity, 2),
                "per_second": round(self.per_second, 2),
                "growing": [f"{kind} of {whose}" for kind, whose in self.growing],
                "series": {
                    f"{kind} of {whose}": {
                        "begin": round(it.begin, 2),
                        "end": round(it.end, 2),
                        "an_hour": round(it.an_hour, 2),
                        "surely": round(it.surely, 2),
                    }
                    for (kind, whose), it in self.trends.items()
                },
            }
        )

    def _lines_of(self, kind: Kind) -> Iterator[str]:
        found = {whose: it for (of, whose), it in self.trends.items() if of is kind}
        worst = sorted(found, key=lambda whose: found[whose].severity, reverse=True)
        shown = [whose for whose in found if kind in EACH or found[whose].grows]
        if not shown and worst:
            shown = worst[:1]
        for whose in shown:
            it = found[whose]
            of = whose if kind in EACH or len(found) == 1 else f"{whose}, worst of {len(found)}"
            yield _row(
                (
                    f"{kind}{', ' + it.bound.unit if it.bound.unit else ''}",
                    of,
                    f"{it.begin:,.1f}",
                    f"{it.end:,.1f}",
                    f"{it.an_hour:+,.1f}",
                    f"{it.bound.an_hour:,.0f}",
                    "**grows**" if it.grows else "flat",
                )
            )


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"
