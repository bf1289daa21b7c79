"""What a process of ours holds, its children included, as Linux tells it in /proc."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from tests.process_table import group
from tests.soak.kinds import Kind

KIB_A_MIB = 1024


def held(leader: int) -> Iterator[tuple[Kind, float]]:
    """Memory, file descriptors and threads of a process group. A page that forks share is counted
    once in all (proportional set size)."""
    memory = descriptors = threads = 0
    for pid in group(leader):
        with suppress(FileNotFoundError, ProcessLookupError):  # it ended meanwhile
            of_it = Path(f"/proc/{pid}")
            kib = _proportional(of_it / "smaps_rollup")
            descriptors += len(os.listdir(of_it / "fd"))
            threads += len(os.listdir(of_it / "task"))
            memory += kib
    yield Kind.MEMORY, memory / KIB_A_MIB
    yield Kind.DESCRIPTORS, descriptors
    yield Kind.THREADS, threads


def _proportional(rollup: Path) -> int:
    """KiB."""
    for line in rollup.read_text().splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1])
    raise RuntimeError(f"{rollup} does not tell the proportional set size")
