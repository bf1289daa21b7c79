"""A contender of a benchmark: who, with which settings, and how its rounds went."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from tests.benchmarks.ground import Drained
from tests.benchmarks.result import Row

Progress = Callable[[str], None]


@dataclass
class Contender:
    """One row of the table. `drain` runs one round of so many messages."""

    who: str
    settings: str
    drain: Callable[[int], Drained]
    rounds: list[Drained] = field(default_factory=list)

    def run(self, messages: int, progress: Progress) -> None:
        progress(f"{self.who}, {self.settings}: {messages:,} messages")
        self.rounds.append(self.drain(messages))

    def median(self, figure: Callable[[Drained], float]) -> float:
        return statistics.median(map(figure, self.rounds))

    @property
    def per_second(self) -> float:
        return self.median(lambda drained: drained.per_second)

    @property
    def requests_each(self) -> float:
        return self.median(lambda drained: drained.requests_each)

    @property
    def cpu_milliseconds(self) -> float:
        return self.median(lambda drained: drained.cpu_milliseconds)

    def row(self) -> Row:
        return Row(
            self.who,
            self.settings,
            {
                "messages": sum(drained.sent for drained in self.rounds),
                "messages/s": self.per_second,
                "CPU ms each": self.cpu_milliseconds,
                "requests each": self.requests_each,
            },
        )


def best(tried: Sequence[Contender]) -> Contender:
    """The fastest, its rounds still to come."""
    fastest = max(tried, key=lambda contender: contender.per_second)
    return replace(fastest, who="plain Celery, best", rounds=[])
