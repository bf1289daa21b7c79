"""The machine's processes as `ps` and /proc show them: who is there, whose child, who listens."""

from __future__ import annotations

import os
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

LISTEN = "0A"
"""The state in /proc/net/tcp."""


def runs(pid: int) -> bool:
    """Whether the process is there; one that has ended and was not waited for is not."""
    state = _ps("-o", "stat=", "-p", str(pid))
    return bool(state.strip()) and not state.startswith("Z")


def group(leader: int) -> list[int]:
    """The processes of a process group."""
    return [pid for pid, _, pgid in _table() if pgid == leader]


def descendants(pid: int) -> list[int]:
    """Children, their children and so on, without the process itself."""
    children = [child for child, parent, _ in _table() if parent == pid]
    return children + [one for child in children for one in descendants(child)]


def listening(pid: int) -> Iterator[tuple[str, int]]:
    """(address, port) of every TCP socket on which the process listens. Linux only."""
    inodes = set()
    for descriptor in Path(f"/proc/{pid}/fd").iterdir():
        target = os.readlink(descriptor)
        if target.startswith("socket:["):
            inodes.add(target[8:-1])
    for table, family in (("tcp", socket.AF_INET), ("tcp6", socket.AF_INET6)):
        for line in Path(f"/proc/{pid}/net/{table}").read_text().splitlines()[1:]:
            _, local, _, state, *_ = fields = line.split()
            if state == LISTEN and fields[9] in inodes:
                address, port = local.split(":")
                yield _address(address, family), int(port, 16)


def _address(text: str, family: int) -> str:
    words = [bytes.fromhex(text[start : start + 8])[::-1] for start in range(0, len(text), 8)]
    return socket.inet_ntop(family, b"".join(words))


def _table() -> list[tuple[int, int, int]]:
    rows = (line.split() for line in _ps("-A", "-o", "pid=,ppid=,pgid=").splitlines())
    return [(int(pid), int(parent), int(pgid)) for pid, parent, pgid in rows]


def _ps(*options: str) -> str:
    command = ["ps", *options]
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout
