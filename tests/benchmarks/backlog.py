"""Whether a worker is as quick and as small at the end of a long backlog as at its start.

100,000 events wait on a queue; one worker process drains it. Once the task does nothing, once
each message is a mail, claimed, sent and put on record. Throughput and memory are read in the
first, the middle and the last tenth of the drain. There is no peer: plain Celery would take
twenty minutes for it.
"""

from __future__ import annotations

import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from notifications.local.processes import Process
from tests.benchmarks import ours
from tests.benchmarks.contender import Progress
from tests.benchmarks.ground import Ground, ground
from tests.benchmarks.ours import Ours
from tests.benchmarks.provider import Provider
from tests.benchmarks.result import Result, Row

LATENCY = 0.010
SLICES: Mapping[str, tuple[float, float]] = {
    "start": (0.0, 0.1),
    "middle": (0.45, 0.55),
    "end": (0.9, 1.0),
}
"""Of the messages, from the first done to the last."""
LEAST_PACE = 0.9
MOST_MEMORY = 1.1
PATIENCE = 600.0
TICK = 0.1
PAGE = os.sysconf("SC_PAGESIZE")


@dataclass(frozen=True)
class Size:
    """How many messages wait for each of the two."""

    empty: int = 100_000
    with_records: int = 100_000


@dataclass(frozen=True)
class Look:
    """One moment of a drain. seconds: monotonic; memory: resident, in MiB."""

    seconds: float
    left: int
    memory: float


@dataclass(frozen=True)
class Slice:
    """A tenth of a drain: its pace, in messages a second, and the memory at its end, in MiB."""

    pace: float
    memory: float


@dataclass(frozen=True)
class Drain:
    """A whole one, by its slices."""

    who: str
    settings: str
    messages: int
    slices: Mapping[str, Slice]

    @classmethod
    def of(cls, who: str, settings: str, looks: Sequence[Look]) -> Drain:
        """looks: in the order of time, the first with every message there, the last with none."""
        messages = looks[0].left
        slices = {
            name: _slice([look for look in looks if _within(look, messages, *bounds)])
            for name, bounds in SLICES.items()
        }
        return cls(who, settings, messages, slices)

    @property
    def pace_kept(self) -> float:
        """The pace of the slowest slice after the first, as a share of the first's."""
        first, *others = (each.pace for each in self.slices.values())
        return min(others) / first

    @property
    def memory_grown(self) -> float:
        """The most memory of a slice after the first, as a share of the first's."""
        first, *others = (each.memory for each in self.slices.values())
        return max(others) / first

    @property
    def row(self) -> Row:
        figures: dict[str, float] = {"messages": self.messages}
        figures |= {f"{name}, messages/s": each.pace for name, each in self.slices.items()}
        figures |= {f"{name}, MiB": each.memory for name, each in self.slices.items()}
        return Row(self.who, self.settings, figures)


def run(progress: Progress, size: Size | None = None) -> Result:
    """Four minutes. `progress` is told what is being done."""
    size = size or Size()
    load = os.getloadavg()[0]
    with ground(latency=LATENCY) as here:
        empty = _drain(here, ours.EMPTY, ours.Settings(concurrency=8), size.empty, progress)
    with ground(latency=LATENCY) as here:
        provider = Provider(here, 0.0).environment
        settings = ours.Settings(concurrency=32)
        records = _drain(here, ours.MAILER, settings, size.with_records, progress, **provider)
    return _result([empty, records], load)


def _drain(
    here: Ground,
    project: ours.Project,
    settings: ours.Settings,
    messages: int,
    progress: Progress,
    **env: str,
) -> Drain:
    progress(f"{project.consumer}: {messages:,} messages are published")
    queue = Ours(here, project)
    queue.publish(messages)
    progress(f"{project.consumer}: they are drained")
    worker = queue.worker(settings, env)
    looks = _look(here, queue, worker)
    worker.kill()
    return Drain.of(f"ours, {project.consumer}", str(settings), looks)


def _look(here: Ground, queue: Ours, worker: Process) -> list[Look]:
    """From the last look at which every message was there, to the first at which none is."""
    looks = [_now(here, queue, worker)]
    deadline = time.monotonic() + PATIENCE
    while looks[-1].left:
        if time.monotonic() > deadline or not worker.alive:
            raise RuntimeError(f"{worker.name} left {looks[-1].left} undone:\n{worker.tail(40)}")
        time.sleep(TICK)
        look = _now(here, queue, worker)
        looks = [look] if look.left == looks[0].left else [*looks, look]
    return looks


def _now(here: Ground, queue: Ours, worker: Process) -> Look:
    return Look(time.monotonic(), here.depth(queue.queue), _memory(worker))


def _memory(process: Process) -> float:
    """What of it is in memory, in MiB. Linux only."""
    pages = int(Path(f"/proc/{process.pid}/statm").read_text().split()[1])
    return pages * PAGE / 2**20


def _within(look: Look, messages: int, start: float, end: float) -> bool:
    return start * messages <= messages - look.left <= end * messages


def _slice(looks: Sequence[Look]) -> Slice:
    first, last = looks[0], looks[-1]
    return Slice((first.left - last.left) / (last.seconds - first.seconds), last.memory)


def _result(drains: Sequence[Drain], load: float) -> Result:
    slowest = min(drain.pace_kept for drain in drains)
    fattest = max(drain.memory_grown for drain in drains)
    return Result(
        unit="of the first tenth's pace",
        ours=slowest,
        peer=None,
        limit=None,
        rows=[drain.row for drain in drains],
        targets={
            f"no slice is slower than {LEAST_PACE:g} of the first": slowest >= LEAST_PACE,
            f"no slice has more than {MOST_MEMORY:g} times its memory": fattest <= MOST_MEMORY,
        },
        notes=[f"load before the run: {load:.1f} (above 0.5, others disturb the figures)"],
        extra={
            "load_before": round(load, 2),
            "memory_grown": round(fattest, 3),
            "drains": {drain.who: drain.row.figures for drain in drains},
        },
    )
