"""Small files of the embedded parts: variables, keys, ports."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from notifications.local import variables
from notifications.local.directories import locked, passing
from notifications.local.keys import NAMES, keys
from notifications.local.ports import HOST, free_port, is_free

ROOT = Path(__file__).parents[2]


def test_variables_come_back_as_they_were_written(tmp_path: Path) -> None:
    file = tmp_path / "env"
    variables.write(file, {"URL": "postgresql://u:p=w@h/d", "EMPTY": ""})
    assert variables.read(file) == {"URL": "postgresql://u:p=w@h/d", "EMPTY": ""}


def test_variables_that_cannot_be_written_leave_no_draft(tmp_path: Path) -> None:
    (tmp_path / "env" / "in its place").mkdir(parents=True)
    with pytest.raises(OSError, match="env"):
        variables.write(tmp_path / "env", {"A": "secret"})
    assert list(tmp_path.iterdir()) == [tmp_path / "env"]


def test_variables_name_paths_whatever_the_locale(tmp_path: Path) -> None:
    home = tmp_path / "für Ätna"
    home.mkdir()
    code = (
        "import os, pathlib; from notifications.local import variables\n"
        "from orders_site.environment import load\n"
        "here = pathlib.Path.cwd(); variables.write(here / 'env', {'HERE': str(here)})\n"
        "load(here / 'env')\n"
        "print(os.environ['HERE'] == variables.read(here / 'env')['HERE'] == str(here))"
    )
    ascii_only = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=home,
        env={**os.environ, **ascii_only, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
    )
    assert done.stdout == "True\n", done.stderr
    assert variables.read(home / "env") == {"HERE": str(home)}


def test_variables_are_for_their_owner_only(tmp_path: Path) -> None:
    file = tmp_path / "env"
    variables.write(file, {"A": "1"})
    assert file.stat().st_mode & 0o777 == 0o600


def test_a_file_that_is_not_there_holds_no_variables(tmp_path: Path) -> None:
    assert variables.read(tmp_path / "env") == {}


def test_keys_stay_the_same_once_made(tmp_path: Path) -> None:
    first = keys(tmp_path / "keys")
    assert keys(tmp_path / "keys") == first
    assert set(first) == set(NAMES)
    assert len(set(first.values())) == len(NAMES)


def test_keys_that_are_missing_are_added_and_the_others_stay(tmp_path: Path) -> None:
    variables.write(tmp_path / "keys", {"DJANGO_SECRET_KEY": "mine"})
    assert keys(tmp_path / "keys")["DJANGO_SECRET_KEY"] == "mine"
    assert keys(tmp_path / "keys")["ADDRESS_HASH_KEY"]


def test_what_a_killed_run_left_goes_with_the_next_and_what_is_in_use_stays(tmp_path: Path) -> None:
    with passing(tmp_path) as in_use, locked(in_use / "lock"):
        left = tmp_path / "left"
        (left / "postgres").mkdir(parents=True)
        (left / "lock").touch()
        with passing(tmp_path) as ours:
            assert sorted(tmp_path.iterdir()) == sorted([in_use, ours])
        assert list(tmp_path.iterdir()) == [in_use]


def test_a_port_is_free_until_somebody_listens_on_it() -> None:
    port = free_port()
    assert is_free(port)
    with socket.socket() as server:
        server.bind((HOST, port))
        server.listen()
        assert not is_free(port)
