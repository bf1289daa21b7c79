"""Where the embedded parts keep what they keep: everything under one `.local/`."""

from __future__ import annotations

import fcntl
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory


@dataclass(frozen=True)
class Directories:
    """The directories of one stack.

    home: this stack's own data, state and logs; two stacks never share one.
    shared: what every stack of a checkout may use at the same time (installed tools).
    """

    home: Path
    shared: Path

    @classmethod
    def of(cls, home: Path, shared: Path | None = None) -> Directories:
        """Made on the spot."""
        home = home.absolute()
        shared = (shared or home).absolute()
        for directory in (home, shared):
            directory.mkdir(parents=True, exist_ok=True)
        (home / "logs").mkdir(mode=0o700, exist_ok=True)
        return cls(home, shared)

    def put_logs_aside(self) -> None:
        """Keep the logs of the run before, and only of that one, in `logs.previous`."""
        logs, previous = self.home / "logs", self.home / "logs.previous"
        shutil.rmtree(previous, ignore_errors=True)
        logs.rename(previous)
        logs.mkdir(mode=0o700)

    def log(self, name: str) -> Path:
        return self.home / "logs" / f"{name}.log"


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold an exclusive lock on `path` among processes; waits for whoever holds it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


@contextmanager
def passing(below: Path) -> Iterator[Path]:
    """A directory for the parts of one run, gone after it; those of runs that were killed go now,
    for nobody holds their lock any more."""
    below.mkdir(parents=True, exist_ok=True)
    for left in below.glob("*/lock"):
        with suppress(OSError), left.open() as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(left.parent)
    with TemporaryDirectory(dir=below) as directory:
        yield Path(directory)
