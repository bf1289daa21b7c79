"""What every embedded part is: a program of its own that is prepared, started, waited for, stopped.

For whoever writes the next one: say what to run and how to see that it answers; ports,
logs, deadlines and clear errors are done here. Nothing may listen beyond 127.0.0.1.
"""

from __future__ import annotations

import http.client
import signal
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from notifications.local.directories import Directories
from notifications.local.ports import HOST, free_port, is_free
from notifications.local.processes import Process, Processes, ProcessFailed

TRIES = 3  # between choosing a free port and listening on it, somebody else may take it


class PartFailed(RuntimeError):
    """An embedded part cannot start. The text names the part, what is wrong, and the mend."""


class Part(ABC):
    """One embedded part. `start()` after `stop()` or `kill()` comes back on the same port."""

    name: str
    """Names it in messages, and its log file."""
    title: str
    """What it is, as a person reads it."""
    port_variable: str
    """The environment variable that sets its port."""
    instead: str
    """What a person can do to go without it, as a sentence."""
    stop_signal = signal.SIGTERM
    ready_within = 30.0

    yields = False
    """Whether variables that the environment holds already win over its own."""

    def __init__(
        self,
        directories: Directories,
        processes: Processes,
        *,
        port: int = 0,
        other_ports: Mapping[str, int] | None = None,
        durable: bool = True,
    ) -> None:
        """Not started yet.

        port: 0 means any free one. other_ports: the same, by the variables that set them.
        durable: False means that its data is thrown away anyway.
        """
        self.directories = directories
        self.processes = processes
        self.ports = {self.port_variable: port, **(other_ports or {})}
        self.durable = durable
        self._ours_to_choose = {variable for variable, port in self.ports.items() if not port}
        self.process: Process | None = None
        self.tell: Callable[[str], object] = lambda text: None
        """Told what takes long (an installation)."""

    @property
    def port(self) -> int:
        """Where it listens; 0 before it is chosen."""
        return self.ports[self.port_variable]

    @property
    @abstractmethod
    def environment(self) -> dict[str, str]:
        """What other processes need to reach it. Valid once it has started."""

    @property
    def where(self) -> str:
        """Where a person finds it."""
        return f"http://{HOST}:{self.port}"

    @abstractmethod
    def command(self) -> Sequence[str | Path]:
        """The program and its arguments, in the foreground."""

    @abstractmethod
    def answers(self) -> bool:
        """Whether it serves now. Must not raise while it is still starting."""

    def program_environment(self) -> Mapping[str, str] | None:
        """The whole environment of the program; None for our own."""
        return None

    def prepare(self) -> None:  # noqa: B027 - not every part needs it
        """Install or initialise what the program needs. Called before every start."""

    def started(self) -> None:  # noqa: B027 - nor this
        """Called once it answers."""

    def start(self) -> None:
        """Return when it answers. Raises PartFailed."""
        self._require_set_ports()
        self.prepare()
        for remaining in reversed(range(TRIES)):
            self._choose_ports()
            try:
                self._start_once()
            except ProcessFailed as failure:
                if remaining and self._a_chosen_port_was_taken():
                    continue
                raise PartFailed(f"{failure}\n{self.instead}") from None
            break
        self._ours_to_choose.clear()
        self.started()

    def run(
        self,
        command: Sequence[str | Path],
        *,
        purpose: str,
        within: float,
        env: Mapping[str, str] | None = None,
        cwd: Path | None = None,
    ) -> None:
        """Run a program of the preparation to its end. Raises PartFailed with what it wrote."""
        log = self.directories.log(f"{self.name}-{purpose}")
        log.unlink(missing_ok=True)
        program = self.processes.start(
            command, name=f"{self.name}: {purpose}", log=log, env=env, cwd=cwd
        )
        try:
            if program.wait(within=within) == 0:
                return
        except ProcessFailed:
            program.kill()
        raise PartFailed(
            f"{self.name}: {purpose} failed (exit status {program.returncode}):\n"
            f"{program.tail(40)}\n{self.instead}"
        )

    def stop(self) -> None:
        """Ask it to end and wait for that."""
        if self.process is not None:
            self.process.stop()

    def kill(self) -> None:
        """End it without warning, as a crash would."""
        if self.process is not None:
            self.process.kill()

    def _start_once(self) -> None:
        self.process = self.processes.start(
            self.command(),
            name=self.name,
            log=self.directories.log(self.name),
            env=self.program_environment(),
            stop_signal=self.stop_signal,
        )
        try:
            self.process.wait_until(self.answers, within=self.ready_within)
        except BaseException:
            self.process.kill()
            raise

    def _require_set_ports(self) -> None:
        for variable in self.ports.keys() - self._ours_to_choose:
            if not is_free(self.ports[variable]):
                raise PartFailed(
                    f"{self.name}: port {self.ports[variable]} of {HOST} is taken. "
                    f"Set {variable} to another, or leave it out and a free one is chosen."
                )

    def _choose_ports(self) -> None:
        for variable in self._ours_to_choose:
            self.ports[variable] = free_port()

    def _a_chosen_port_was_taken(self) -> bool:
        return not all(is_free(self.ports[variable]) for variable in self._ours_to_choose)


def http_status(port: int, path: str, *, method: str = "GET", timeout: float = 2.0) -> int:
    """The status of a request to a server on this machine; 0 when it does not answer."""
    connection = http.client.HTTPConnection(HOST, port, timeout=timeout)
    try:
        connection.request(method, path)
        return connection.getresponse().status
    except (OSError, http.client.HTTPException):
        return 0
    finally:
        connection.close()
