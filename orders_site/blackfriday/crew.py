"""The processes of the day: a relay, workers for all but analytics, and what an operator types."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from notifications.local.processes import Process
from notifications.local.stack import Stack

WORKERS = {
    "worker-mail": "email,push",
    "worker-text": "sms,whatsapp,webhook,receipts",
    "worker-shop": "payments,inventory",
}
LATECOMER = {"worker-analytics": "analytics"}
"""The worker that nobody started."""

READY_WITHIN = 60.0
"""Seconds for a process to become ready: generous, a first start compiles every module."""
TYPED_WITHIN = 600.0
"""Seconds for a command to end: a redrive waits for what it ordered."""


class Crew:
    """Start with `open()`; `close()` ends all."""

    def __init__(self, stack: Stack) -> None:
        self._stack = stack
        self._processes: list[Process] = []

    def open(self) -> None:
        """The relay and the workers but one, ready. Raises ProcessFailed."""
        relay = self._start("relay", [sys.executable, "manage.py", "relay"])
        self._become_ready([relay, *self._workers(WORKERS)])

    def call_the_latecomer(self) -> None:
        self._become_ready(self._workers(LATECOMER))

    def type(self, *words: str) -> tuple[int, str]:
        """`manage.py <words>`, by an operator: its exit status, and what it printed."""
        typed = self._start(words[0], [sys.executable, "manage.py", *words])
        status = typed.wait(within=TYPED_WITHIN)
        return status, typed.log.rstrip()

    def close(self) -> None:
        """Ask all to stop at once, then wait: each finishes what it holds."""
        self._stack.processes.stop(self._processes)

    def _workers(self, queues: dict[str, str]) -> list[Process]:
        celery = Path(sys.executable).parent / "celery"
        return [
            self._start(
                name,
                [celery, *f"-A orders_site worker -l INFO -Q {served} -n {name}@%h".split()],
            )
            for name, served in queues.items()
        ]

    def _become_ready(self, processes: Sequence[Process]) -> None:
        for process in processes:
            process.wait_until(partial(_says_ready, process), within=READY_WITHIN)

    def _start(self, name: str, command: Sequence[str | Path]) -> Process:
        process = self._stack.processes.start(
            command,
            name=name,
            log=self._stack.directories.log(name),
            env={**os.environ, "PYTHONUNBUFFERED": "1"},
        )
        self._processes.append(process)
        return process


def _says_ready(process: Process) -> bool:
    return "ready" in process.log
