"""`manage.py local` as a person meets it: what it prints, and what it leaves behind (nothing)."""

from __future__ import annotations

import os
import re
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from notifications.local.processes import Process, Processes
from tests.process_table import descendants, listening, runs
from tests.stack import LOCAL, ROOT
from tests.waiting import wait_for

COMMAND = [sys.executable, "manage.py", "local", "--directory"]
Run = Callable[..., Process]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A `.local` that has ministack installed already, and after the first test a database, as on
    a second run."""
    home = tmp_path_factory.mktemp("home") / "local"
    home.mkdir()
    (home / "ministack").symlink_to(LOCAL / "ministack")
    return home


@pytest.fixture
def run(home: Path, tmp_path: Path) -> Iterator[Run]:
    """`run(directory=home)`: the command, in an environment that names none of the parts."""
    with Processes() as processes:
        yield lambda directory=home: processes.start(
            [*COMMAND, directory],
            name="local",
            log=tmp_path / "log",
            cwd=ROOT,
            env={name: value for name, value in os.environ.items() if "URL" not in name}
            | {"DJANGO_SETTINGS_MODULE": "orders_site.settings"},
        )


@pytest.fixture
def local(run: Run) -> Process:
    """The command, ready."""
    return ready(run())


def ready(process: Process) -> Process:
    process.wait_until(lambda: "Ctrl-C" in process.log, within=60)
    return process


def test_it_says_what_runs_on_this_machine_alone_until_ctrl_c(
    local: Process, home: Path, run: Run
) -> None:
    for text in (
        r"PostgreSQL +127\.0\.0\.1:\d+, database orders",
        r"SNS and SQS +http://127\.0\.0\.1:\d+",
        r"Providers +http://127\.0\.0\.1:\d+/ \(inbox\)",
        r"manage\.py migrate",
        r"celery -A orders_site worker -l INFO -Q ",
    ):
        assert re.search(text, local.log), text
    family = descendants(local.pid)
    if sys.platform == "linux":  # reads /proc/net
        assert {address for pid in family for address, _ in listening(pid)} == {"127.0.0.1"}

    second = run()
    assert second.wait(within=20) == 1
    assert f"in use by process {local.pid}" in second.log
    assert "Traceback" not in second.log

    os.kill(local.pid, signal.SIGINT)
    assert local.wait(within=20) == 0
    assert "Ended." in local.log
    assert not any(map(runs, family))
    assert not (home / "env").exists()
    assert "database system is shut down" in (home / "logs" / "postgres.log").read_text()


def test_a_signal_while_it_installs_something_ends_it_too(tmp_path: Path, run: Run) -> None:
    first = run(tmp_path / "first")
    first.wait_until(lambda: "Installing ministack" in first.log, within=60)
    family = descendants(first.pid)
    first.terminate()
    assert first.wait(within=20) == 0
    assert not any(map(runs, family))


def test_a_crash_of_it_leaves_no_process_behind_and_it_starts_again(
    local: Process, home: Path, run: Run
) -> None:
    family = descendants(local.pid)
    assert len(family) > 4  # postgres with its own children, ministack, providers, guardian
    os.kill(local.pid, signal.SIGKILL)
    wait_for(lambda: not any(map(runs, family)), within=20, what="the end of the parts")
    assert not (home / "env").exists()
    assert "PostgreSQL" in ready(run()).log


def test_a_part_that_dies_ends_it_with_the_reason(local: Process, home: Path) -> None:
    postgres = int((home / "postgres" / "postmaster.pid").read_text().split()[0])
    os.kill(postgres, signal.SIGINT)
    assert local.wait(within=20) == 1
    assert "postgres ended by itself" in local.log
