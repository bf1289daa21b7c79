"""What a benchmark says: ours, the peer's and the limit, in one unit, and how they were reached."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from rich.console import Console
from rich.table import Table


@dataclass(frozen=True)
class Row:
    """One contender: who, with which settings, and each figure under its column's name."""

    who: str
    settings: str
    figures: Mapping[str, float]


@dataclass(frozen=True)
class Result:
    """`targets` maps what must hold, in words, to whether it did. peer, limit: None for none."""

    unit: str
    ours: float
    peer: float | None
    limit: float | None
    rows: Sequence[Row]
    targets: Mapping[str, bool] = field(default_factory=dict)
    notes: Sequence[str] = ()
    extra: Mapping[str, Any] = field(default_factory=dict)

    @property
    def ratio_to_peer(self) -> float | None:
        return self.ours / self.peer if self.peer else None

    @property
    def ratio_to_limit(self) -> float | None:
        return self.ours / self.limit if self.limit else None

    def as_json(self) -> dict[str, Any]:
        figures: dict[str, Any] = {"unit": self.unit, "ours": round(self.ours, 2)}
        if self.peer and self.ratio_to_peer:
            figures["peer"] = round(self.peer, 2)
            figures["ratio_to_peer"] = round(self.ratio_to_peer, 2)
        if self.limit and self.ratio_to_limit:
            figures["limit"] = round(self.limit, 2)
            figures["ratio_to_limit"] = round(self.ratio_to_limit, 3)
        return {**figures, **self.extra}


def show(console: Console, name: str, result: Result) -> None:
    """The table a person reads."""
    columns = list(dict.fromkeys(column for row in result.rows for column in row.figures))
    table = Table(title=name, title_justify="left", title_style="bold")
    table.add_column("")
    table.add_column("settings")
    for column in columns:
        table.add_column(column, justify="right", no_wrap=True)
    for row in result.rows:
        figures = [_text(row.figures[c]) if c in row.figures else "" for c in columns]
        table.add_row(row.who, row.settings, *figures)
    console.print(table)
    said = [f"{_text(result.ours)} {result.unit}"]
    if result.ratio_to_peer:
        said.append(f"{result.ratio_to_peer:.1f} times the peer")
    if result.ratio_to_limit:
        said.append(f"{result.ratio_to_limit:.2f} of the limit")
    console.print(f"ours: {', '.join(said)}")
    for note in result.notes:
        console.print(f"  {note}")
    for target, held in result.targets.items():
        console.print(f"  {'held' if held else '[red]MISSED[/red]'}: {target}", highlight=False)


def _text(figure: float) -> str:
    """Three or four digits that matter."""
    return f"{figure:,.0f}" if figure >= 1000 else f"{figure:.3g}"
