"""Our processes: started, killed, stopped, and started again by whoever watches over them."""

from __future__ import annotations

import signal
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from notifications.local.parts import http_status
from notifications.local.processes import Process, ProcessFailed
from tests.chaos.ground import ROOT, Ground
from tests.chaos.scenario import CHANNELS, SERVICES
from tests.chaos.schedule import Cast

HERE = Path(sys.executable).parent
READY_WITHIN = 60.0
GRACE = 75.0
"""Seconds that a stop may take: what runs is finished, open polls end, and a call to SQS that is
never answered is given up after 30 s, and tried again."""
PAUSE = 1.0
"""Seconds until what ended by itself is started again, as a service manager does."""
RELAY_LEASE = 15
"""Seconds; a quarter of the default, as the other times (`tests.chaos.shop.settings`)."""


def worker(*queues: str, pool: str, concurrency: int) -> list[str | Path]:
    """A worker's command, without its name."""
    return [
        *(HERE / "celery", "-A", "orders_site", "worker", "--loglevel", "INFO"),
        *("-Q", ",".join(queues), "--pool", pool, "--concurrency", str(concurrency)),
    ]


def relay() -> list[str | Path]:
    return [sys.executable, "manage.py", "relay", "--lease", str(RELAY_LEASE)]


def crew(*, small: bool) -> dict[str, list[str | Path]]:
    """Relays and workers: of every kind, or as few as can stand in for one another."""
    queues = (*CHANNELS, "receipts", *SERVICES)
    if small:
        everything = worker(*queues, pool="threads", concurrency=8)
        return {"relay-1": relay(), "worker-1": everything, "worker-2": everything}
    return {
        "relay-1": relay(),
        "relay-2": relay(),
        "worker-mail": worker("email", "push", pool="threads", concurrency=8),
        "worker-text": worker("sms", "whatsapp", "receipts", pool="threads", concurrency=8),
        "worker-shop": worker(*SERVICES, pool="threads", concurrency=8),
        "worker-forked": worker(*queues, pool="prefork", concurrency=4),
    }


def web(port: int) -> list[str | Path]:
    address = f"--bind=127.0.0.1:{port}"
    return [HERE / "gunicorn", "orders_site.wsgi", address, "--workers=1", "--threads=8"]


@dataclass
class Member:
    """One process that is to be there, whatever happens to it. since: it was told to end."""

    name: str
    command: Sequence[str | Path]
    process: Process | None = None
    told: signal.Signals | None = None
    since: float = field(default_factory=time.monotonic)


class House:
    """All of them. `watch()` is to be called often; the verbs return at once."""

    def __init__(self, ground: Ground, port: int, members: Mapping[str, Sequence[str | Path]]):
        self._ground = ground
        self._port = port
        self._members = {name: Member(name, command) for name, command in members.items()}
        self._lock = threading.RLock()
        self.killed = self.stopped = 0
        self.by_themselves: list[str] = []
        """Those that ended although nobody told them to, with the end of their log."""
        self.overstayed: list[str] = []
        """Those that had to be killed because they had not ended GRACE after being asked."""

    def open(self) -> None:
        """Start all and wait until each is ready. Raises ProcessFailed."""
        for member in self._members.values():
            self._start(member)
        for member in self._members.values():
            if member.process is not None:
                member.process.wait_until(lambda m=member: self._is_ready(m), within=READY_WITHIN)  # type: ignore[misc]

    def kill(self, name: str) -> None:
        """SIGKILL to it and to its children."""
        with self._lock:
            member = self._members[name]
            if member.process is not None and member.process.alive:
                self._tell(member, signal.SIGKILL)
                member.process.kill()
                self.killed += 1

    def stop(self, name: str) -> None:
        """SIGTERM. One that is being stopped already is left to it."""
        with self._lock:
            member = self._members[name]
            if member.process is not None and member.process.alive and member.told is None:
                self._tell(member, signal.SIGTERM)
                member.process.terminate()
                self.stopped += 1

    @property
    def names(self) -> list[str]:
        """Of all, whether they are there or not."""
        return list(self._members)

    def pids(self) -> Mapping[str, int]:
        """By name, of those that are there now. Each leads a process group."""
        with self._lock:
            running = [(name, member.process) for name, member in self._members.items()]
        return {name: each.pid for name, each in running if each is not None and each.alive}

    def watch(self) -> None:
        """Start again what has ended; kill what does not end."""
        with self._lock:
            for member in self._members.values():
                self._look_after(member)

    def close(self) -> None:
        """Ask all to end, and wait for that: each finishes what it holds."""
        with self._lock:
            running = [member for member in self._members.values() if member.process is not None]
            for member in running:
                if member.process is not None:
                    member.process.terminate()
            for member in running:
                if member.process is not None:
                    self._end(member, member.process)

    def _look_after(self, member: Member) -> None:
        process = member.process
        if process is None:
            if time.monotonic() - member.since >= PAUSE:
                self._start(member)
        elif not process.alive:
            if member.told is None:
                self.by_themselves.append(
                    f"{member.name} (exit status {process.returncode}): {process.tail(5)}"
                )
                member.process, member.since = None, time.monotonic()
            else:
                self._start(member)
        elif member.told is signal.SIGTERM and time.monotonic() - member.since > GRACE:
            self._overstays(member, process)

    def _end(self, member: Member, process: Process) -> None:
        try:
            process.wait(within=GRACE)
        except ProcessFailed:
            self._overstays(member, process)

    def _overstays(self, member: Member, process: Process) -> None:
        self.overstayed.append(f"{member.name}: {process.tail(10)}")
        process.kill()

    def _tell(self, member: Member, number: signal.Signals) -> None:
        member.told, member.since = number, time.monotonic()

    def _start(self, member: Member) -> None:
        command = list(member.command)
        if "worker" in command:
            command += ["--hostname", f"{member.name}@%h"]
        member.told, member.since = None, time.monotonic()
        member.process = self._ground.stack.processes.start(
            command,
            name=member.name,
            log=self._ground.stack.directories.log(member.name),
            env=self._ground.environment,
            cwd=ROOT,
        )

    def _is_ready(self, member: Member) -> bool:
        if member.name == WEB:
            return http_status(self._port, "/admin/login/") == 200
        return member.process is not None and "ready" in member.process.log


WEB = "web"


def cast_of(members: Mapping[str, object], *, pays: bool = False) -> Cast:
    """Who may be told to end, by their names."""
    return Cast(
        workers=tuple(name for name in members if name.startswith("worker")),
        relays=tuple(name for name in members if name.startswith("relay")),
        web=WEB,
        channels=CHANNELS,
        pays=pays,
    )
