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
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import ExitStack, contextmanager
from importlib import import_module
from pathlib import Path
from types import TracebackType
from typing import IO, NoReturn

from notifications.local import variables
from notifications.local.directories import Directories
from notifications.local.emulator import Emulator
from notifications.local.keys import keys
from notifications.local.parts import Part, PartFailed
from notifications.local.ports import HOST
from notifications.local.postgres import Postgres
from notifications.local.processes import Processes, ProcessFailed
from notifications.local.sandbox import SMTP_PORT_VARIABLE, ProviderSandbox, sandbox_environment

BROKERS = {
    "ministack": ("notifications.local.ministack", "Ministack"),
    "fauxqs": ("notifications.local.fauxqs", "Fauxqs"),
}
ACCOUNT = "account"
TIDYING = 15.0
"""Seconds: above what a guardian takes to end everything."""
BY_HTTP = {"DJANGO_HTTPS": "0"}
"""There is no certificate on 127.0.0.1."""
SWAPS = ("DATABASE_URL", "AWS_ENDPOINT_URL")
PAST_PROXIES = ("no_proxy", "NO_PROXY")
"""Which addresses an HTTP proxy of the network is not asked for, as everybody reads it."""


class Stack:
    """The embedded parts of one directory, from `start()` to `stop()`; also a context manager.

    directory: keeps data and logs; a second start finds them again.
    broker: "ministack", "fauxqs", or "account" (start none); None: `LOCAL_AWS`, or ministack.
    shared: where tools are installed, for several stacks; the directory itself by default.
    given: the environment to look at for parts that need no start.
    durable: False trades safety of the data in a crash for speed.
    tell: told what takes long, while it starts.

    While it runs, `<directory>/env` holds its environment for other processes.
    """

    def __init__(
        self,
        directory: Path,
        *,
        broker: str | None = None,
        shared: Path | None = None,
        given: Mapping[str, str] | None = None,
        durable: bool = True,
        tell: Callable[[str], object] = lambda text: None,
    ) -> None:
        with _writing(directory):
            self.directories = Directories.of(directory, shared)
        self.given = self._given_by_others() if given is None else given
        self.tell = tell
        self.broker = broker or self.given.get("LOCAL_AWS") or "ministack"
        self.durable = durable
        self.parts: list[Part] = []
        self.environment: dict[str, str] = {}
        self._exit = ExitStack()

    @property
    def processes(self) -> Processes:
        """Start with these what uses the parts (web, workers): it ends before they do."""
        return self._processes

    def start(self) -> Stack:
        """Start the parts side by side. Raises PartFailed with every part's reason."""
        with _writing(self.directories.home), ExitStack() as undo:
            lock = undo.enter_context(self._lock())
            processes = Processes(hold=[lock.fileno()], remove=[self._env_file])
            self._processes = undo.enter_context(processes)
            self.directories.put_logs_aside()
            self.parts = self._wanted_parts()
            self._start_parts()
            self.environment = self._environment()
            variables.write(self._env_file, self.environment)
            self._exit = undo.pop_all()
        return self

    def stop(self) -> None:
        """End what was started with `processes`, then the parts."""
        ours = [part.process for part in self.parts]
        self._processes.stop([other for other in self._processes.running if other not in ours])
        self._exit.close()

    def watch(self) -> NoReturn:
        """Return never. Raises PartFailed when a part ends by itself."""
        while True:
            self.look()
            time.sleep(0.5)

    def look(self) -> None:
        """The same, at once, and returns when all is well."""
        for part in self.parts:
            if part.process is not None:
                try:
                    part.process.must_live()
                except ProcessFailed as failure:
                    raise PartFailed(str(failure)) from None

    def part(self, name: str) -> Part:
        """The part of that name. Raises KeyError when the environment gave it instead."""
        return {part.name: part for part in self.parts}[name]

    @property
    def emulator(self) -> Emulator:
        """The embedded SNS and SQS. Raises LookupError when the environment gave others."""
        for part in self.parts:
            if isinstance(part, Emulator):
                return part
        raise LookupError("SNS and SQS are not embedded here")

    @property
    def _env_file(self) -> Path:
        return self.directories.home / "env"

    def _given_by_others(self) -> Mapping[str, str]:
        """Our environment without what a crashed machine left in the env file."""
        left = variables.read(self._env_file)
        return {name: value for name, value in os.environ.items() if left.get(name) != value}

    def _wanted_parts(self) -> list[Part]:
        parts: list[Part] = []
        if not self.given.get("DATABASE_URL"):
            parts.append(self._postgres())
        if not self.given.get("AWS_ENDPOINT_URL") and self.broker != ACCOUNT:
            parts.append(self._emulator())
        if not self.given.get("PROVIDER_SANDBOX_URL"):
            parts.append(self._sandbox())
        for part in parts:
            part.tell = self.tell
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
            other_ports={SMTP_PORT_VARIABLE: self._port(SMTP_PORT_VARIABLE)},
            durable=self.durable,
        )

    def _port(self, variable: str) -> int:
        value = self.given.get(variable) or "0"
        if not value.isdigit() or int(value) > 65535:
            raise PartFailed(f"{variable} is {value!r}: use a port number, or leave it out.")
        return int(value)

    def _start_parts(self) -> None:
        with ThreadPoolExecutor() as pool:
            try:
                starts = [pool.submit(part.start) for part in self.parts]
                wait(starts)
            except BaseException:  # Ctrl-C: let no thread go on waiting for its part
                self._processes.close()
                raise
        failures = [error for start in starts if (error := start.exception())]
        if failures:
            for unexpected in (error for error in failures if not isinstance(error, PartFailed)):
                raise unexpected
            raise PartFailed("\n\n".join(map(str, failures)))

    def _environment(self) -> dict[str, str]:
        yielding = {**keys(self.directories.home / "keys"), **BY_HTTP}
        if url := self.given.get("PROVIDER_SANDBOX_URL"):
            yielding |= sandbox_environment(url)
        ours: dict[str, str] = {}
        for part in self.parts:
            (yielding if part.yields else ours).update(part.environment)
        given = {name: value for name in SWAPS if (value := self.given.get(name))}
        yielding |= {name: value for name in yielding if (value := self.given.get(name))}
        if ours:
            ours |= dict.fromkeys(PAST_PROXIES, self._past_proxies())
        return given | yielding | ours

    def _past_proxies(self) -> str:
        """The proxy of a company cannot reach what runs here."""
        said = next((told for name in PAST_PROXIES if (told := self.given.get(name))), "")
        return said if said == "*" else ",".join(filter(None, [said, HOST, "localhost"]))

    def _lock(self) -> IO[str]:
        """One stack per directory; right after a crash, wait until its guardian has tidied up."""
        lock = (self.directories.home / "lock").open("a+")
        deadline = time.monotonic() + TIDYING
        while not _taken(lock):
            holder = _holder(lock)
            if _runs(holder) or time.monotonic() > deadline:
                lock.close()
                raise PartFailed(
                    f"{self.directories.home} is in use by process {holder}. "
                    "Stop that one, or work with the parts it runs."
                )
            time.sleep(0.05)
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


@contextmanager
def _writing(directory: Path) -> Iterator[None]:
    """A directory of somebody else (root, after `sudo make demo`), a disk that is full."""
    try:
        yield
    except OSError as error:
        raise PartFailed(
            f"{directory} cannot hold the embedded parts: {error}. "
            "It must belong to whoever runs them, with 200 MB to spare."
        ) from None


def _taken(lock: IO[str]) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _holder(lock: IO[str]) -> int:
    lock.seek(0)
    return int(lock.read() or 0)


def _runs(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return pid != 0
