"""What a run has shown: the table a person reads, and the line a program reads."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table

from orders_site.demo.manifest import Call
from tests.chaos.ground import Ground
from tests.chaos.house import House
from tests.chaos.leaks import all_addresses, leaks
from tests.chaos.scenario import Scenario
from tests.chaos.verdict import Tally, judge

if TYPE_CHECKING:
    from tests.chaos.books import Books
    from tests.chaos.verdict import Evidence

MOST_SHOWN = 10
COLUMNS = (
    "called for",
    "accepted",
    "lost",
    "doubled",
    "by policy",
    "unknown",
    "withheld",
    "dead-lettered",
)


@dataclass(frozen=True)
class Report:
    """seconds: from the first call until nothing moved any more; drain: of them without trouble.

    retried: attempts made because nobody knew of the one before. accused: what the tables tell of
    each call that was lost, doubled or uncalled. complaints: whatever else is wrong, in words; one
    fails the run.
    """

    title: str
    called: int
    tallies: Mapping[str, Tally]
    books: Books
    retried: int
    accused: Sequence[str]
    complaints: Sequence[str]
    notes: Sequence[str]
    seconds: float
    drain: float

    @classmethod
    def of(
        cls,
        scenario: Scenario,
        here: Ground,
        house: House,
        *,
        left: str,
        troubles: int,
        seconds: float,
        drain: float,
    ) -> Report:
        """Judged from what stands in the tables and at the providers now."""
        from notifications.models import Attempt
        from tests.chaos.books import audit
        from tests.chaos.evidence import gather, odd_rows, story

        manifest = scenario.called_for(here.stack.directories.home / "manifest.jsonl")
        evidence: Evidence = gather(manifest, here.sandbox, scenario.silent)
        tallies, untrue = judge(evidence)
        books = audit(here.sandbox, stocked=scenario.stocked(), buried=evidence.buried)
        complaints = [
            *books.complaints,
            *untrue,
            *odd_rows(),
            *scenario.complaints(here),
        ]
        if left:
            complaints.insert(0, f"it was not drained in time: {left}")
        retried = Attempt.objects.unknown_retried()
        by_policy = sum(tally.doubled_by_policy for tally in tallies.values())
        if by_policy > retried:
            complaints.append(f"{by_policy} doubled by policy, of {retried} unknowns retried")
        accused = [
            "; ".join([f"{what}: {_named(call)}", *story(call)])
            for what in ("lost", "doubled", "uncalled")
            for tally in tallies.values()
            for call in getattr(tally, what)
        ]
        complaints += leaks(map(here.stack.directories.log, house.names), all_addresses())
        complaints += [f"did not end in time when asked: {who}" for who in house.overstayed]
        return cls(
            title=scenario.title,
            called=len(manifest.subjects),
            tallies=tallies,
            books=books,
            retried=retried,
            accused=accused,
            complaints=complaints,
            notes=[
                (
                    f"{troubles} troubles, among them {house.killed} SIGKILL and {house.stopped} "
                    f"SIGTERM to our processes; {len(house.by_themselves)} ended by themselves"
                ),
                f"faults of SNS and SQS: {_counted(here.proxy.struck())}",
                *scenario.notes(here),
                *house.by_themselves,
            ],
            seconds=seconds,
            drain=drain,
        )

    @property
    def good(self) -> bool:
        wrong = (tally.lost or tally.doubled or tally.uncalled for tally in self.tallies.values())
        return not any(wrong) and not self.complaints

    def as_json(self) -> dict[str, float]:
        """The agreed keys, over all channels."""
        total = self.total
        return {
            "orders": self.called,
            "called_for": total.called_for,
            "accepted": total.accepted,
            "lost": len(total.lost),
            "doubled": len(total.doubled),
            "doubled_by_policy": total.doubled_by_policy,
            "unknown": total.unknown,
            "dead_lettered": total.dead_lettered,
            **self.books.as_json,
            "seconds": round(self.seconds, 1),
        }

    @property
    def total(self) -> Tally:
        total = Tally()
        for tally in self.tallies.values():
            for name, value in vars(tally).items():
                setattr(total, name, getattr(total, name) + value)
        return total

    def show(self, console: Console) -> None:
        """The table, then what is wrong."""
        table = Table(title=self.title, title_justify="left", title_style="bold")
        table.add_column("channel")
        for column in COLUMNS:
            table.add_column(column, justify="right")
        for channel, tally in self.tallies.items():
            table.add_row(channel, *_figures(tally))
        table.add_section()
        table.add_row("all", *_figures(self.total), style="bold")
        console.print(table)
        console.print(
            f"{self.called} called, {self.seconds:.0f} s in all, drained {self.drain:.0f} s after "
            f"the last trouble; {self.retried} unknowns tried again, "
            f"{self.total.doubled_by_policy} of them doubled by it"
        )
        console.print(str(self.books))
        for note in self.notes:
            console.print(f"  {note}", markup=False, soft_wrap=True)
        _say(console, self.accused)
        _say(console, self.complaints)
        console.print("held: nothing lost, nothing done twice" if self.good else "[red]FAILED[/]")

    def as_line(self) -> str:
        return json.dumps(self.as_json())


def _figures(tally: Tally) -> list[str]:
    figures = (
        tally.called_for,
        tally.accepted,
        len(tally.lost),
        len(tally.doubled),
        tally.doubled_by_policy,
        tally.unknown,
        tally.withheld,
        tally.dead_lettered,
    )
    return [f"{figure:,}" for figure in figures]


def _named(call: Call) -> str:
    return f"{call.event_type} {call.subject} by {call.channel}"


def _counted(struck: Mapping[str, int]) -> str:
    return ", ".join(f"{count} {kind}" for kind, count in sorted(struck.items())) or "none"


def _say(console: Console, lines: Sequence[str]) -> None:
    for line in lines[:MOST_SHOWN]:
        console.print(f"  {line}", style="red", markup=False, soft_wrap=True, highlight=False)
    if len(lines) > MOST_SHOWN:
        console.print(f"  … and {len(lines) - MOST_SHOWN} more")
