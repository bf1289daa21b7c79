"""Processes that are started, waited for, ended, and that never outlive who started them."""

from __future__ import annotations

import fcntl
import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from notifications.local.processes import Process, Processes, ProcessFailed, stopped_by_signals
from tests.process_table import descendants, group, runs
from tests.waiting import wait_for

PATIENT = "import time; print('up', flush=True); time.sleep(600)"
STUBBORN = f"import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); {PATIENT}"
FAMILY = f"import subprocess, sys; subprocess.Popen([sys.executable, '-c', {PATIENT!r}]); {PATIENT}"


@pytest.fixture
def processes() -> Iterator[Processes]:
    with Processes() as processes:
        yield processes


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "log"


def start(processes: Processes, code: str, log: Path) -> Process:
    process = processes.start([sys.executable, "-c", code], name="program", log=log)
    process.wait_until(lambda: "up" in process.log, within=20)
    return process


def test_a_process_is_ended_by_the_signal_it_understands(processes: Processes, log: Path) -> None:
    process = start(processes, PATIENT, log)
    process.stop()
    assert process.returncode == -signal.SIGTERM


def test_a_process_that_does_not_listen_is_killed(processes: Processes, log: Path) -> None:
    process = start(processes, STUBBORN, log)
    process.stop(grace=0.1)
    assert process.returncode == -signal.SIGKILL


def test_killing_a_process_kills_what_it_started(processes: Processes, log: Path) -> None:
    process = start(processes, FAMILY, log)
    wait_for(lambda: process.log.count("up") == 2, what="both generations")
    members = group(process.pid)
    assert len(members) == 2
    process.kill()
    wait_for(lambda: not any(map(runs, members)), what="the end of the group")


def test_a_process_that_ends_early_says_why(processes: Processes, log: Path) -> None:
    process = processes.start(
        [sys.executable, "-c", "raise SystemExit('no configuration')"], name="web", log=log
    )
    with pytest.raises(ProcessFailed, match=r"(?s)web ended at once.*no configuration"):
        process.wait_until(lambda: False, within=20)


def test_a_process_that_is_not_ready_in_time_says_what_it_wrote(
    processes: Processes, log: Path
) -> None:
    process = start(processes, PATIENT, log)
    with pytest.raises(ProcessFailed, match=r"(?s)not ready within 0.1 s.*up"):
        process.wait_until(lambda: False, within=0.1)


def test_a_program_that_is_not_there_is_named(processes: Processes, log: Path) -> None:
    process = processes.start(["/no/such/program"], name="web", log=log)
    with pytest.raises(ProcessFailed, match=r"/no/such/program: No such file"):
        process.wait_until(lambda: False, within=20)


def test_what_a_process_writes_is_for_its_owner_only(processes: Processes, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    start(processes, f"open({str(secret)!r}, 'w').close(); {PATIENT}", tmp_path / "log")
    assert secret.stat().st_mode & 0o077 == 0


def test_nothing_starts_once_the_end_has_begun(log: Path) -> None:
    with Processes() as processes:
        pass
    with pytest.raises(ProcessFailed, match="being ended"):
        processes.start([sys.executable, "-c", PATIENT], name="late", log=log)


def test_leaving_the_block_ends_everything(log: Path) -> None:
    with Processes() as processes:
        one, other = start(processes, PATIENT, log), start(processes, PATIENT, log)
    assert one.returncode == other.returncode == -signal.SIGTERM


PARENT = """
import fcntl, sys, time
from pathlib import Path
from notifications.local.processes import Processes

home = Path(sys.argv[1])
(home / "env").touch()
lock = (home / "lock").open("w")
fcntl.flock(lock, fcntl.LOCK_EX)
processes = Processes(hold=[lock.fileno()], remove=[home / "env"])
for number, code in enumerate(sys.argv[2:]):
    child = processes.start([sys.executable, "-c", code], name="child", log=home / str(number))
    child.wait_until(lambda: "up" in child.log, within=20)
    print(child.pid, flush=True)
print("ready", flush=True)
time.sleep(600)
"""


def test_a_killed_parent_leaves_nothing_behind(processes: Processes, tmp_path: Path) -> None:
    parent = processes.start(
        [sys.executable, "-c", PARENT, tmp_path, PATIENT, FAMILY, STUBBORN],
        name="parent",
        log=tmp_path / "log",
    )
    parent.wait_until(lambda: "ready" in parent.log, within=30)
    leaders = [int(pid) for pid in parent.log.split()[:-1]]
    members = [pid for leader in leaders for pid in group(leader)]
    assert len(members) == 4

    os.kill(parent.pid, signal.SIGKILL)

    with (tmp_path / "lock").open() as lock:
        wait_for(lambda: free(lock.fileno()), within=20, what="the release of its lock")
    assert not any(map(runs, members))
    assert not (tmp_path / "env").exists()


def free(lock: int) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def test_the_guardian_outlives_a_ctrl_c_that_reaches_it(
    processes: Processes, tmp_path: Path
) -> None:
    parent = processes.start(
        [sys.executable, "-c", PARENT, tmp_path, PATIENT], name="parent", log=tmp_path / "log"
    )
    parent.wait_until(lambda: "ready" in parent.log, within=30)
    child = int(parent.log.split()[0])
    [guardian] = [pid for pid in descendants(parent.pid) if pid != child]
    os.kill(guardian, signal.SIGINT)
    os.kill(guardian, signal.SIGTERM)
    parent.kill()
    wait_for(lambda: not runs(child), within=20, what="the end of the child")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_signals_end_a_block_as_ctrl_c_does(number: signal.Signals) -> None:
    before = signal.getsignal(number)
    with pytest.raises(KeyboardInterrupt), stopped_by_signals():
        signal.raise_signal(number)
    assert signal.getsignal(number) == before


def test_the_log_of_a_process_begins_with_the_process(processes: Processes, log: Path) -> None:
    log.write_text("up, said another one before\n")
    process = start(processes, PATIENT, log)
    assert process.log == "up\n"
