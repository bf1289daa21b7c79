"""`notifications` without the shop: a small library, beside a Celery app of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from psycopg.conninfo import conninfo_to_dict

from notifications.local.stack import Stack

ROOT = Path(__file__).resolve().parents[2]
PROJECT = ROOT / "tests" / "second_project"
LIBPQ = {"host": "PGHOST", "port": "PGPORT", "user": "PGUSER", "password": "PGPASSWORD"}


@pytest.fixture
def library(stack: Stack) -> dict[str, str]:
    """The environment of the library's processes: nothing of the shop's."""
    server = conninfo_to_dict(stack.environment["DATABASE_URL"])
    return {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(ROOT),
        "PYTHONWARNINGS": "error",
        **{LIBPQ[name]: str(value) for name, value in server.items() if name in LIBPQ},
    }


def manage(library: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "manage.py", *arguments],
        cwd=PROJECT,
        env=library,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_its_own_suite_passes_its_checks_too_and_the_shop_is_not_loaded(
    library: dict[str, str],
) -> None:
    done = manage(library, "test", "--noinput")

    assert done.returncode == 0, done.stderr
    assert "System check identified no issues" in done.stdout + done.stderr
    assert "Ran 10 tests" in done.stderr
