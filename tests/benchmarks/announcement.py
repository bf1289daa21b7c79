"""What it costs to expand an announcement: people a second, and memory, by the audience's size.

Each size in a process of its own, on one PostgreSQL that waits for its disk. Two channels; nobody
sends. What lies on the queues is settled at once, so the expansion is never held back, as it would
be by any account's limit.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping

from tests.benchmarks.ground import Ground, ground
from tests.benchmarks.result import Result, Row

Progress = Callable[[str], None]

SETTINGS = {"DJANGO_SETTINGS_MODULE": "orders_site.settings"}
SIZES = (10_000, 100_000)
MOST_TIMES_MEMORY = 1.05
WITHIN = 1800.0


def run(progress: Progress) -> Result:
    with ground(latency=0.0, durable=True) as here:
        return measure(here, progress, SIZES)


def measure(here: Ground, progress: Progress, sizes: tuple[int, int]) -> Result:
    """On the PostgreSQL of that ground, whose tables are emptied."""
    manage = [sys.executable, "manage.py", "migrate", "--verbosity", "0"]
    here.run(manage, name="migrate", **SETTINGS)
    small, large = (_expand(here, size, progress) for size in sizes)
    ratio = large["peak"] / small["peak"]
    return Result(
        "people/s",
        ours=large["people"] / large["seconds"],
        peer=None,
        limit=None,
        rows=[_row(small), _row(large)],
        targets={
            f"{sizes[1]:,} people take at most {MOST_TIMES_MEMORY} times the memory of "
            f"{sizes[0]:,}: {ratio:.3f}": ratio <= MOST_TIMES_MEMORY
        },
        extra={"memory_ratio": round(ratio, 3)},
    )


def _expand(here: Ground, size: int, progress: Progress) -> Mapping[str, float]:
    progress(f"{size:,} people")
    process = here.start(
        [sys.executable, "-m", "tests.benchmarks.expansion", str(size)],
        name=f"expansion-{size}",
        **SETTINGS,
    )
    if process.wait(within=WITHIN):
        raise RuntimeError(f"{process.name} failed:\n{process.tail(40)}")
    cost: dict[str, float] = json.loads(process.log.splitlines()[-1])
    return cost


def _row(cost: Mapping[str, float]) -> Row:
    people = cost["people"]
    return Row(
        "ours",
        f"{people:,.0f} people",
        {
            "people/s": people / cost["seconds"],
            "CPU ms each": 1000 * cost["cpu"] / people,
            "peak MB": cost["peak"],
        },
    )
