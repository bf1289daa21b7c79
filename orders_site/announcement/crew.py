"""The processes: a relay, which is killed, the workers, and what an operator types."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from notifications.local.processes import Process
from notifications.local.stack import Stack

WORKERS = {"worker-mail": "email", "worker-text": "sms,whatsapp", "worker-push": "push"}

READY_WITHIN = 60.0
"""Seconds for a process to become ready: generous, a first start compiles every module."""
TYPED_WITHIN = 60.0


class Crew:
    """Start with `open()`; `close()` ends all."""

    def __init__(self, stack: Stack) -> None:
        self._stack = stack
        self._started: list[Process] = []
        self.working: dict[str, Process] = {}
        """The relay and the workers that run now, by name."""

    def open(self) -> None:
        """All of them, ready. Raises ProcessFailed."""
        celery = Path(sys.executable).parent / "celery"
        for name, served in WORKERS.items():
            words = f"-A orders_site worker -l INFO -Q {served} -n {name}@%h"
            self.working[name] = self._start(name, [celery, *words.split()])
        self.start_relay("relay")
        for process in self.working.values():
            process.wait_until(partial(_says_ready, process), within=READY_WITHIN)

    def start_relay(self, name: str) -> None:
        self.working[name] = self._start(name, [sys.executable, "manage.py", "relay"])

    def kill(self, name: str) -> None:
        """Without a word of warning."""
        self.working.pop(name).kill()

    def type(self, *words: str) -> tuple[int, str]:
        """`manage.py <words>`, by an operator: its exit status, and what it printed."""
        typed = self._start(words[0], [sys.executable, "manage.py", *words])
        status = typed.wait(within=TYPED_WITHIN)
        return status, typed.log.rstrip()

    def close(self) -> None:
        """Ask all to stop at once, then wait: each finishes what it holds."""
        self._stack.processes.stop([process for process in self._started if process.alive])

    def _start(self, name: str, command: Sequence[str | Path]) -> Process:
        process = self._stack.processes.start(
            command,
            name=name,
            log=self._stack.directories.log(name),
            env={**os.environ, "PYTHONUNBUFFERED": "1"},
        )
        self._started.append(process)
        return process


def _says_ready(process: Process) -> bool:
    return "ready" in process.log
