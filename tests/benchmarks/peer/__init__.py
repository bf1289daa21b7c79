"""The peer: plain Celery with kombu's own SQS transport (pycurl), installed under `.local/peer`."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
import venv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from notifications.local.directories import locked
from notifications.local.processes import Process
from tests.benchmarks.ground import LOCAL, Drained, Ground

HERE = Path(__file__).parent
REQUIREMENTS = HERE / "requirements.txt"


@dataclass(frozen=True)
class Settings:
    """What a user of plain Celery can turn."""

    pool: str
    concurrency: int
    prefetch: int
    polling_interval: float

    def __str__(self) -> str:
        return (
            f"{self.pool} {self.concurrency}, prefetch {self.prefetch}, "
            f"polling {self.polling_interval:g} s"
        )


class Peer:
    """One queue of its own, filled and drained by plain Celery. `task`: the module of its task."""

    def __init__(self, ground: Ground, *, body: str, task: str = "empty") -> None:
        self._ground = ground
        self._task = task
        self._python = python()
        self._queue = ground.create_queue("peer")
        self._body = body

    def drain(self, settings: Settings, messages: int, **env: str) -> Drained:
        """Send `messages` tasks, then time one worker process."""
        with self._ground.counted_from_here():
            fill = [self._python, f"{self._task}.py", str(messages)]
            self._ground.run(fill, name="peer-fill", cwd=HERE, **self._environment())
        return self._ground.drain(self._queue, self._worker(settings, env))

    def _worker(self, settings: Settings, env: Mapping[str, str]) -> Process:
        command = [
            *(self._python, "-m", "celery", "-A", self._task, "worker", "--queues", "peer"),
            *("--pool", settings.pool, "--concurrency", str(settings.concurrency)),
            *("--prefetch-multiplier", str(settings.prefetch)),
            *("--without-gossip", "--without-mingle", "--without-heartbeat"),
        ]
        interval = {"PEER_POLLING_INTERVAL": str(settings.polling_interval)}
        environment = {**self._environment(), **interval, **env}
        return self._ground.start(command, name="peer", cwd=HERE, **environment)

    def _environment(self) -> dict[str, str]:
        return {"PEER_QUEUE_URL": self._queue, "PEER_BODY": self._body, "PYTHONPATH": ""}


def python() -> Path:
    """Its Python; installed on first use, and again when its requirements have changed."""
    key = hashlib.sha256(REQUIREMENTS.read_bytes() + sys.version.encode()).hexdigest()[:12]
    home = LOCAL / "peer" / key
    with locked(LOCAL / "peer.lock"):
        if not (home / "ready").exists():
            _install(home)
    return home / "bin" / "python"


def _install(home: Path) -> None:
    shutil.rmtree(home, ignore_errors=True)
    venv.create(home, with_pip=True, symlinks=True)
    pip: Sequence[str | Path] = [home / "bin" / "python", "-m", "pip", "install", "--quiet"]
    subprocess.run([*pip, "--require-hashes", "-r", REQUIREMENTS], check=True)
    (home / "ready").touch()
