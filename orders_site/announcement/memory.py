"""Memory: what each process holds over the run, and whether that grew."""

from __future__ import annotations

import statistics
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

WARM_UP = 1 / 3
"""The share of a process's samples before it has met everything once: modules, templates, pools."""

LONG_ENOUGH = 60.0
"""Seconds of samples after the warm-up, without which nothing is said of growth."""

MOST_GROWTH = 8.0
"""Megabytes over all the rest of the run. What kept a kilobyte of each of ten thousand recipients
would be over it."""

MEGABYTE = 1024 * 1024


@dataclass(frozen=True)
class Growth:
    """Of one process, in megabytes. slope: a minute, by least squares after the warm-up; growth:
    over all of that time. Both None where that was too short to tell."""

    peak: float
    slope: float | None = None
    growth: float | None = None

    @property
    def flat(self) -> bool:
        return self.growth is None or self.growth <= MOST_GROWTH

    @property
    def as_json(self) -> dict[str, float | None]:
        return {
            "peak_mb": round(self.peak, 1),
            "mb_a_minute": None if self.slope is None else round(self.slope, 2),
            "growth_mb": None if self.growth is None else round(self.growth, 1),
        }


class Memory:
    """Samples resident memory, as Linux tells it in /proc."""

    def __init__(self) -> None:
        self._samples: defaultdict[str, list[tuple[float, float]]] = defaultdict(list)

    def sample(self, at: float, pids: Mapping[str, int]) -> None:
        """at: seconds. Of a process that is gone there is nothing to sample."""
        for name, pid in pids.items():
            if (held := resident(pid)) is not None:
                self._samples[name].append((at, held / MEGABYTE))

    def growths(self) -> dict[str, Growth]:
        return {name: growth_of(samples) for name, samples in self._samples.items()}


def growth_of(samples: Iterable[tuple[float, float]]) -> Growth:
    """samples: seconds and megabytes, in order."""
    all_of_it = list(samples)
    peak = max(held for _, held in all_of_it)
    rest = all_of_it[int(len(all_of_it) * WARM_UP) :]
    seconds = rest[-1][0] - rest[0][0]
    if seconds < LONG_ENOUGH:
        return Growth(peak)
    slope = statistics.linear_regression(*zip(*rest, strict=True)).slope
    return Growth(peak, slope * 60, slope * seconds)


def resident(pid: int) -> int | None:
    """Bytes; None when there is no such process."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return None
    for line in status.splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) * 1024
    return None
