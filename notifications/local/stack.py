"""The embedded parts together: what is not given by the environment is started.

    with Stack(Path(".local")) as stack:
        subprocess.run(["celery", …], env={**os.environ, **stack.environment})

| given                  | then                                                       |
|------------------------|------------------------------------------------------------|
| `DATABASE_URL`         | no PostgreSQL is started                                   |
| `AWS_ENDPOINT_URL`     | no SNS/SQS is started                                      |
| `LOCAL_AWS=account`    | the same: botocore's own chain finds your AWS account      |
| `LOCAL_AWS=fauxqs`     | fauxqs instead of ministack                                |
| `PROVIDER_SANDBOX_URL` | no provider sandbox is started; channels use that one      |

Ports are free ones unless `LOCAL_POSTGRES_PORT`, `LOCAL_AWS_PORT`,
`LOCAL_PROVIDERS_PORT` or `LOCAL_PROVIDERS_SMTP_PORT` sets them. Keys and provider
endpoints that the environment already holds win over ours.
"""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from importlib import import_module
from pathlib import Path
from types import TracebackType
from typing import IO

from notifications.local.directories import Directories
from notifications.local.emulator import Emulator
from notifications.local.keys import keys
from notifications.local.parts import Part, PartFailed
from notifications.local.postgres import Postgres
from notifications.local.processes import Processes
from notifications.local.sandbox import ProviderSandbox, sandbox_environment

BROKERS = {
    "ministack": ("notifications.local.ministack", "Ministack"),
    "fauxqs": ("notifications.local.fauxqs", "Fauxqs"),
}
ACCOUNT = "account"
SWAPS = ("DATABASE_URL", "AWS_ENDPOINT_URL")


class Stack:
    """The embedded parts of one directory, from `start()` to `stop()`; also a context manager.

    directory: keeps data and logs; a second start finds them again.
    broker: "ministack", "fauxqs", or "account" (start none); None: `LOCAL_AWS`, or ministack.
    shared: where tools are installed, for several stacks; the directory itself by default.
    given: the environment to look at for parts that need no start.
    durable: False trades PostgreSQL's safety in a crash of the machine for speed.
    """

    def __init__(
        self,
        directory: Path,
        *,
        broker: str | None = None,
        shared: Path | None = None,
        given: Mapping[str, str] | None = None,
        durable: bool = True,
    ) -> None:
        self.given = os.environ if given is None else given
        self.directories = Directories.of(directory, shared)
        self.broker = broker or self.given.get("LOCAL_AWS") or "ministack"
        self.durable = durable
        self.parts: list[Part] = []
        self.environment: dict[str, str] = {}
        self._exit = ExitStack()

    @property
    def processes(self) -> Processes:
        """Start what belongs to this stack (web, workers) with these: it ends before the parts."""
        return self._processes

    def start(self) -> Stack:
        """Start the parts side by side. Raises PartFailed with every part's reason."""
        with ExitStack() as undo:
            lock = undo.enter_context(self._lock())
            self._processes = undo.enter_context(Processes(hold=[lock.fileno()]))
            self.parts = self._wanted_parts()
            self._start_parts()
            self.environment = self._environment()
            self._exit = undo.pop_all()
        return self

    def stop(self) -> None:
        """End everything, in reverse order of its start."""
        self._exit.close()

    def part(self, name: str) -> Part:
        """The running part of that name. Raises KeyError when the environment gave it instead."""
        return {part.name: part for part in self.parts}[name]

    @property
    def emulator(self) -> Emulator:
        """The embedded SNS and SQS. Raises LookupError when the environment gave others."""
        for part in self.parts:
            if isinstance(part, Emulator):
                return part
        raise LookupError("SNS and SQS are not embedded here")

    def _wanted_parts(self) -> list[Part]:
        parts: list[Part] = []
        if not self.given.get("DATABASE_URL"):
            parts.append(self._postgres())
        if not self.given.get("AWS_ENDPOINT_URL") and self.broker != ACCOUNT:
            parts.append(self._emulator())
        if not self.given.get("PROVIDER_SANDBOX_URL"):
            parts.append(self._sandbox())
        return parts

    def _postgres(self) -> Part:
        return Postgres(
            self.directories,
            self._processes,
            port=self._port("LOCAL_POSTGRES_PORT"),
            durable=self.durable,
        )

    def _emulator(self) -> Part:
        if self.broker not in BROKERS:
            raise PartFailed(f"LOCAL_AWS is {self.broker!r}: use {', '.join([*BROKERS, ACCOUNT])}.")
        module, name = BROKERS[self.broker]
        part: type[Part] = getattr(import_module(module), name)
        return part(
            self.directories,
            self._processes,
            port=self._port("LOCAL_AWS_PORT"),
            durable=self.durable,
        )

    def _sandbox(self) -> Part:
        return ProviderSandbox(
            self.directories,
            self._processes,
            port=self._port("LOCAL_PROVIDERS_PORT"),
            smtp_port=self._port("LOCAL_PROVIDERS_SMTP_PORT"),
            durable=self.durable,
        )

    def _port(self, variable: str) -> int:
        value = self.given.get(variable) or "0"
        if not value.isdigit() or int(value) > 65535:
            raise PartFailed(f"{variable} is {value!r}: use a port number, or leave it out.")
        return int(value)

    def _start_parts(self) -> None:
        with ThreadPoolExecutor(max_workers=4) as pool:
            starts = [pool.submit(part.start) for part in self.parts]
        failures = [error for start in starts if (error := start.exception())]
        if failures:
            for unexpected in (error for error in failures if not isinstance(error, PartFailed)):
                raise unexpected
            raise PartFailed("\n\n".join(map(str, failures)))

    def _environment(self) -> dict[str, str]:
        yielding = keys(self.directories.home / "keys")
        if url := self.given.get("PROVIDER_SANDBOX_URL"):
            yielding |= sandbox_environment(url)
        ours: dict[str, str] = {}
        for part in self.parts:
            (yielding if part.yields else ours).update(part.environment)
        given = {name: value for name in SWAPS if (value := self.given.get(name))}
        yielding |= {name: value for name in yielding if (value := self.given.get(name))}
        return given | yielding | ours

    def _lock(self) -> IO[str]:
        """One stack per directory; right after a crash, wait until its guardian has tidied up."""
        path = self.directories.home / "lock"
        lock = path.open("a+")
        deadline = time.monotonic() + 15
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if time.monotonic() > deadline:
                    lock.seek(0)
                    holder = lock.read().strip()
                    lock.close()
                    raise PartFailed(
                        f"{self.directories.home} is in use by process {holder}. "
                        "Stop that one, or work with the parts it runs."
                    ) from None
                time.sleep(0.1)
                continue
            lock.truncate(0)
            lock.write(str(os.getpid()))
            lock.flush()
            return lock

    def __enter__(self) -> Stack:
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()
