"""Arrivals: when a provider took what it was sent, and how near to its limit that came."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Arrivals:
    """Unix seconds, ascending, by the provider's own clock."""

    times: tuple[float, ...]

    @classmethod
    def of(cls, times: Iterable[float]) -> Arrivals:
        return cls(tuple(sorted(times)))

    def __len__(self) -> int:
        return len(self.times)

    def after(self, moment: float) -> Arrivals:
        """Those from that moment on."""
        return Arrivals(tuple(time for time in self.times if time >= moment))

    def most_in_a_second(self) -> int:
        """In the fullest of all windows of one second, wherever it begins."""
        most = first = 0
        for last, time in enumerate(self.times):
            while self.times[first] <= time - 1:
                first += 1
            most = max(most, last - first + 1)
        return most

    def within(self, seconds: float) -> int:
        """How many came in so many seconds, counted from the first."""
        return sum(time < self.times[0] + seconds for time in self.times) if self.times else 0
