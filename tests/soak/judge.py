"""Does it grow? A line through the second half of a series, held against a bound.

The first half is for warming up: modules, templates, pools and caches are met once, and tables
find their size.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

HOUR = 3600.0
FEWEST = 5
"""Points in the second half, without which there is no line to speak of."""
SURE = 2.0
"""Standard errors below the slope at which it must still be over the bound: about 95 %."""

Points = Sequence[tuple[float, float]]
"""(seconds, value), in order."""


@dataclass(frozen=True)
class Bound:
    """What may grow by how much.

    an_hour: growth that is let pass, in `unit`. least: growth over the second half below which
    nothing is said, because so much comes and goes. share: both are shares of the value itself.
    """

    unit: str
    an_hour: float
    least: float
    share: bool = False


@dataclass(frozen=True)
class Trend:
    """begin, end: the line's values there, so single points weigh little. an_hour, surely: its
    slope, and the least that it is by its scatter. bound: of a share, already of this series.
    Without a line (too few points) begin is end and nothing grows."""

    begin: float
    end: float
    an_hour: float
    surely: float
    bound: Bound

    @property
    def grows(self) -> bool:
        return self.surely > self.bound.an_hour and self.end - self.begin > self.bound.least

    @property
    def severity(self) -> float:
        """How much of its bound it uses, to find the worst of many."""
        return self.an_hour / self.bound.an_hour


def trend(points: Points, bound: Bound) -> Trend:
    """Of one series."""
    half = second_half(points)
    if len(half) < FEWEST:
        last = half[-1][1] if half else 0.0
        return Trend(last, last, 0.0, 0.0, bound)
    times, values = [at for at, _ in half], [value for _, value in half]
    middle, mean = sum(times) / len(times), sum(values) / len(values)
    spread = sum((at - middle) ** 2 for at in times)
    slope = sum((at - middle) * (value - mean) for at, value in half) / spread
    scatter = sum((value - mean - slope * (at - middle)) ** 2 for at, value in half)
    error = math.sqrt(scatter / (len(half) - 2) / spread)
    if bound.share:
        bound = Bound(bound.unit, bound.an_hour * mean, bound.least * mean)
    return Trend(
        begin=mean + slope * (times[0] - middle),
        end=mean + slope * (times[-1] - middle),
        an_hour=slope * HOUR,
        surely=(slope - SURE * error) * HOUR,
        bound=bound,
    )


def second_half(points: Points) -> Points:
    """By time."""
    if not points:
        return points
    middle = (points[0][0] + points[-1][0]) / 2
    return [(at, value) for at, value in points if at >= middle]
