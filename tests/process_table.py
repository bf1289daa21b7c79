"""The machine's processes as /proc shows them: who is there, whose child, who listens."""

from __future__ import annotations

import os
import socket
from collections import defaultdict
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

LISTEN = "0A"
"""The state in /proc/net/tcp."""


def runs(pid: int) -> bool:
    """Whether the process is there; one that has ended and was not waited for is not."""
    with suppress(FileNotFoundError, ProcessLookupError):
        return _status(pid)[0] != "Z"
    return False


def group(leader: int) -> list[int]:
    """The processes of a process group."""
    return [pid for pid, _, pgid in _table() if pgid == leader]


def descendants(pid: int) -> list[int]:
    """Children, their children and so on, without the process itself: as of one look."""
    children: defaultdict[int, list[int]] = defaultdict(list)
    for child, parent, _ in _table():
        children[parent].append(child)
    found = [pid]
    for each in found:  # it grows meanwhile
        found += children[each]
    return found[1:]


def listening(pid: int) -> Iterator[tuple[str, int]]:
    """(address, port) of every TCP socket on which the process listens. Linux only."""
    inodes = set()
    with suppress(FileNotFoundError, ProcessLookupError):  # one of PostgreSQL's that has ended
        for descriptor in Path(f"/proc/{pid}/fd").iterdir():
            with suppress(FileNotFoundError):  # a connection that was closed meanwhile
                target = os.readlink(descriptor)
                if target.startswith("socket:["):
                    inodes.add(target[8:-1])
    for table, family in (("tcp", socket.AF_INET), ("tcp6", socket.AF_INET6)):
        for line in Path(f"/proc/net/{table}").read_text().splitlines()[1:]:
            _, local, _, state, *_ = fields = line.split()
            if state == LISTEN and fields[9] in inodes:
                address, port = local.split(":")
                yield _address(address, family), int(port, 16)


def _address(text: str, family: int) -> str:
    words = [bytes.fromhex(text[start : start + 8])[::-1] for start in range(0, len(text), 8)]
    return socket.inet_ntop(family, b"".join(words))


def _table() -> Iterator[tuple[int, int, int]]:
    """(pid, parent, process group) of every process."""
    for directory in Path("/proc").iterdir():
        if directory.name.isdigit():
            with suppress(FileNotFoundError, ProcessLookupError):  # ended meanwhile
                _, parent, group = _status(int(directory.name))
                yield int(directory.name), int(parent), int(group)


def _status(pid: int) -> tuple[str, str, str]:
    """State, parent and process group: what follows the name, which may hold anything."""
    state, parent, group, *_ = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return state, parent, group
