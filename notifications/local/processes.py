"""Processes that this one starts, waits for and ends by pid, and that never outlive it.

    with Processes() as processes:
        web = processes.start(["gunicorn", …], name="web", log=Path("web.log"))
        web.wait_until(answers, within=20)

Ctrl-C in the terminal reaches only the parent: each process leads a session of its own.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType, TracebackType

HERE = Path(__file__).parent
PLAIN_PYTHON = [sys.executable, "-I", "-S"]  # no site-packages: starts in a few milliseconds
POLL = 0.02


class ProcessFailed(RuntimeError):
    """A process ended early or did not become ready. The text shows the end of its log."""


class Process:
    """One running program. Made by `Processes.start`."""

    def __init__(
        self,
        popen: subprocess.Popen[bytes],
        *,
        name: str,
        log: Path,
        log_start: int,
        stop_signal: signal.Signals,
        ended: Callable[[int], None],
    ) -> None:
        self._popen = popen
        self._log_start = log_start
        self._stop_signal = stop_signal
        self._ended = ended
        self.name = name
        self.log_file = log

    @property
    def log(self) -> str:
        """What it has written so far, without what stood in the file before."""
        with self.log_file.open("rb") as file:
            file.seek(self._log_start)
            return file.read().decode(errors="replace")

    @property
    def pid(self) -> int:
        return self._popen.pid

    @property
    def returncode(self) -> int | None:
        """How it ended (minus the signal's number, if by a signal); None while it runs."""
        if self._popen.returncode is None and self._popen.poll() is not None:
            self._ended(self.pid)
        return self._popen.returncode

    @property
    def alive(self) -> bool:
        return self.returncode is None

    def wait_until(self, ready: Callable[[], bool], *, within: float) -> None:
        """Wait at most `within` seconds for `ready()`. Raises ProcessFailed with the log's end."""
        deadline = time.monotonic() + within
        while not ready():
            if not self.alive:
                raise ProcessFailed(self._story(f"ended at once (exit status {self.returncode})"))
            if time.monotonic() > deadline:
                raise ProcessFailed(self._story(f"was not ready within {within:g} s"))
            time.sleep(POLL)

    def wait(self, *, within: float) -> int:
        """Wait for its end; returns the exit status. Raises ProcessFailed if that takes longer."""
        try:
            self._popen.wait(within)
        except subprocess.TimeoutExpired:
            raise ProcessFailed(self._story(f"still ran after {within:g} s")) from None
        self._ended(self.pid)
        return self._popen.returncode

    def must_live(self) -> None:
        """Raises ProcessFailed with the end of its log when it has ended by itself."""
        if not self.alive:
            raise ProcessFailed(self._story(f"ended by itself (exit status {self.returncode})"))

    def terminate(self) -> None:
        """Ask it to stop, in the way its program understands."""
        if self.alive:
            self._popen.send_signal(self._stop_signal)

    def kill(self) -> None:
        """SIGKILL to it and to what it started; returns when it is gone."""
        if self.alive:
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(self.pid, signal.SIGKILL)
            self.wait(within=10)

    def stop(self, *, grace: float = 10.0) -> None:
        """Ask, wait `grace` seconds, then kill."""
        self.terminate()
        try:
            self.wait(within=grace)
        except ProcessFailed:
            self.kill()

    def tail(self, lines: int = 20) -> str:
        """The end of its log."""
        return "\n".join(self.log.splitlines()[-lines:])

    def _story(self, what: str) -> str:
        tail = self.tail() or "(it wrote nothing)"
        return f"{self.name} {what}. The end of {self.log_file}:\n{tail}"


class Processes:
    """A set of processes with one guardian. A context manager: leaving it ends them all."""

    def __init__(self, *, hold: Sequence[int] = (), remove: Sequence[Path] = ()) -> None:
        """What the guardian does besides, however we end.

        hold: file descriptors (of locks) that it keeps open until all is ended.
        remove: files that it removes then.
        """
        self._running: list[Process] = []
        self._lock = threading.Lock()
        reading, writing = os.pipe()
        self._pipe = os.fdopen(writing, "wb", buffering=0)
        self._guardian = subprocess.Popen(
            [*PLAIN_PYTHON, str(HERE / "guardian.py"), *map(str, remove)],
            stdin=reading,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            pass_fds=hold,
            start_new_session=True,
        )
        os.close(reading)

    @property
    def running(self) -> list[Process]:
        """Those that are alive, oldest first."""
        return [process for process in self._running if process.alive]

    def start(
        self,
        command: Sequence[str | Path],
        *,
        name: str,
        log: Path,
        env: Mapping[str, str] | None = None,
        cwd: Path | None = None,
        stop_signal: signal.Signals = signal.SIGTERM,
    ) -> Process:
        """Start `command`, its output appended to `log`. `env` is the whole environment.

        What it writes is for its owner only (umask 077).
        """
        with self._lock, log.open("ab") as output:
            if self._pipe.closed:
                raise ProcessFailed(f"{name} was not started: everything is being ended")
            pipe = self._pipe.fileno()
            log_start = output.tell()  # it and the process share one position in the file
            popen = subprocess.Popen(
                [*PLAIN_PYTHON, HERE / "launcher.py", str(pipe), str(int(stop_signal)), *command],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=env,
                cwd=cwd,
                pass_fds=[pipe],
                start_new_session=True,
                umask=0o077,
            )
            process = Process(
                popen,
                name=name,
                log=log,
                log_start=log_start,
                stop_signal=stop_signal,
                ended=self._ended,
            )
            self._running.append(process)
        return process

    def stop(self, processes: Sequence[Process]) -> None:
        """End these side by side."""
        for process in processes:
            process.terminate()
        for process in processes:
            process.stop()

    def close(self) -> None:
        """End every process, then the guardian. Nothing can be started any more."""
        with self._lock:
            self.stop(self.running)
            self._pipe.close()
        self._guardian.wait()

    def _ended(self, pid: int) -> None:
        with suppress(OSError, ValueError):  # closed: the guardian has nothing left to know
            self._pipe.write(f"- {pid}\n".encode())

    def __enter__(self) -> Processes:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


@contextmanager
def stopped_by_signals() -> Iterator[None]:
    """Make SIGTERM and SIGHUP end the block as Ctrl-C does, so that `with` statements clean up.

    Ctrl-C itself too: a shell starts what it puts into the background with SIGINT ignored.
    """

    def interrupt(number: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = [signal.signal(number, interrupt) for number in numbers]
    try:
        yield
    finally:
        for number, handler in zip(numbers, before, strict=True):
            signal.signal(number, handler)
