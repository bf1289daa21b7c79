"""The guardian: a small process that ends what its parent started when the parent is gone.

It holds the read end of a pipe. The parent holds the write end and never closes it
while it lives, so the end of the stream means that the parent is dead, however it
died (SIGKILL too). The lines that come through the pipe are

    + PID SIGNAL    a process began (written by `launcher.py`, before its program runs)
    - PID           it ended and was waited for

Every process is the leader of a group of its own. The arguments are files to remove at
the end. Run as a plain script with the standard library only: it must cost little and
depend on nothing.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import time
from collections.abc import Iterable

GRACE = 6.0
"""Seconds between the polite signal and SIGKILL."""


def watch(stream: Iterable[str]) -> dict[int, int]:
    """Read until the parent is gone: pid → stop signal of what was still running then."""
    running: dict[int, int] = {}
    for line in stream:
        sign, pid, *rest = line.split()
        if sign == "+":
            running[int(pid)] = int(rest[0])
        else:
            running.pop(int(pid), None)
    return running


def end(running: dict[int, int]) -> None:
    """Ask each process to stop, youngest first; kill the groups that are left after GRACE."""
    for pid in reversed(running):
        _signal(os.kill, pid, running[pid])
    _wait(running, GRACE)
    for pid in running:
        _signal(os.killpg, pid, signal.SIGKILL)
    _wait(running, 1.0)


def _wait(groups: Iterable[int], seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while any(map(_alive, groups)) and time.monotonic() < deadline:
        time.sleep(0.05)


def _alive(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    except PermissionError:  # macOS says so of a group of zombies
        return False
    return True


def _signal(send: object, pid: int, number: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        send(pid, number)  # type: ignore[operator]


if __name__ == "__main__":
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    end(watch(sys.stdin))
    for path in sys.argv[1:]:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(path)
