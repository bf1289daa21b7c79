"""Processes: a pool of children and their parent, who answers for all of them.

They keep what they count in files of one directory (prometheus_client's multiprocess mode): a pair
for each process, read by the parent when it is asked, and gone with it. A project that counts so
too has a directory already, PROMETHEUS_MULTIPROC_DIR: there nothing is ever removed by us.
"""

from __future__ import annotations

import atexit
import fcntl
import os
import shutil
import tempfile
import threading
from collections.abc import Iterable
from contextlib import closing, suppress
from functools import partial
from pathlib import Path
from typing import Any, cast

from prometheus_client import Metric as Family
from prometheus_client import values
from prometheus_client.mmap_dict import MmapedDict
from prometheus_client.multiprocess import MultiProcessCollector

from notifications.metrics import counting

VARIABLE = "PROMETHEUS_MULTIPROC_DIR"
PREFIX = "notifications-metrics-"
MEND = f"Let {VARIABLE}, or without it TMPDIR, name a directory that this process may write to."
_LOCK = "lock"
_SIZE = 1 << 16
"""Bytes of a file of counts, at first; it doubles."""
_BESIDE = 32
"""Bytes that a count takes beside its name, at most."""
_DEAD = 0
"""Stands for all that are gone, where the others have their process id."""

_Mapped: Any = MmapedDict  # it has no types
_reading = threading.Lock()


class _Counts(_Mapped):
    """A file of counts that has its room on the disk before anything is written there. A page that
    a full disk does not give would end the process with SIGBUS, whatever message it is at; this
    way it is an error, and costs a count."""

    def __init__(self, filename: str) -> None:
        with open(filename, "ab") as file:
            _reserve(file.fileno(), max(_SIZE, os.fstat(file.fileno()).st_size))
        super().__init__(filename)

    def _init_value(self, key: str) -> None:
        if self._used + len(key.encode()) + _BESIDE > self._capacity:
            _reserve(self._f.fileno(), 2 * self._capacity)  # which is what it will grow to
        super()._init_value(key)


def _reserve(file: int, size: int) -> None:
    if hasattr(os, "posix_fallocate"):  # macOS has none
        os.posix_fallocate(file, 0, size)


def share() -> Path:
    """Count in files from now on, together with the children that will be forked: the directory.
    Before anything is counted."""
    directory = _the_project_s()
    is_ours = directory is None
    if directory is None:
        directory = _make_directory()
        os.environ[VARIABLE] = str(directory)
    if is_ours or not values.ValueClass._multiprocess:  # two of a kind write over each other
        cast(Any, values).MmapedDict = _Counts
        values.ValueClass = values.MultiProcessValue()  # type: ignore[no-untyped-call]
    counting.start_anew(partial(read, directory, is_ours=is_ours))
    return directory


def read(directory: Path, *, is_ours: bool = True) -> Iterable[Family]:
    """What all of them have counted, and those that are gone."""
    with _reading:  # between the two of a burial, what it counted would be there twice
        for path in directory.glob("*_*.db") if is_ours else ():
            kind, _, pid = path.stem.rpartition("_")
            if not kind.startswith("gauge") and not _lives(int(pid)):
                with suppress(OSError):  # no room for it: it is read where it is
                    _bury(path)
        files = sorted(str(path) for path in directory.glob("*_*.db") if path.stat().st_size)
        return list(MultiProcessCollector.merge(files))  # type: ignore[no-untyped-call]


def _the_project_s() -> Path | None:
    """Which it has given; a worker that restarts itself finds there what was its own."""
    directory = Path(os.environ.get(VARIABLE, ""))
    if not directory.name or directory.name.startswith(PREFIX):
        return None
    directory.mkdir(parents=True, exist_ok=True)
    return directory


def _make_directory() -> Path:
    """A new one below TMPDIR, which ends with this process; what others left there that were
    killed is removed."""
    _clear_abandoned(Path(tempfile.gettempdir()))
    directory = _make_locked()
    while not directory.exists():  # another that begins took it for abandoned, before it was locked
        directory = _make_locked()
    atexit.register(_remove, directory, os.getpid())
    return directory


def _make_locked() -> Path:
    """Its lock is held until this process and its children are gone, however they end."""
    directory = Path(tempfile.mkdtemp(prefix=PREFIX))
    lock = os.open(directory / _LOCK, os.O_CREAT | os.O_RDWR, 0o600)
    fcntl.flock(lock, fcntl.LOCK_EX)
    return directory


def _bury(path: Path) -> None:
    """What a child has counted that is gone goes on counting, and its file goes."""
    found = _told(path)
    with closing(_Counts(str(path.with_name(f"{path.stem.partition('_')[0]}_{_DEAD}.db")))) as dead:
        # All of it has its place before any is added: what is there in part would count twice.
        before = {key: dead.read_value(key)[0] for key in found}
        for key, value in found.items():
            dead.write_value(key, before[key] + value, 0.0)
    path.unlink()


def _told(path: Path) -> dict[str, float]:
    if not path.stat().st_size:  # it died, or had no room, before it could count
        return {}
    return {key: value for key, value, _, _ in _Mapped.read_all_values_from_file(str(path))}


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)  # 0, for _DEAD: our own group, which lives
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True


def _clear_abandoned(below: Path) -> None:
    for directory in below.glob(f"{PREFIX}*"):
        with suppress(OSError), (directory / _LOCK).open() as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)  # raises where its owner lives
            shutil.rmtree(directory)


def _remove(directory: Path, owner: int) -> None:
    if os.getpid() == owner:
        shutil.rmtree(directory, ignore_errors=True)
