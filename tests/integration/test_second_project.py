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


def test_its_checks_find_nothing_to_mend(library: dict[str, str]) -> None:
    done = manage(library, "check")

    assert done.returncode == 0, done.stderr
    assert "no issues" in done.stdout


def test_its_own_suite_passes(library: dict[str, str]) -> None:
    done = manage(library, "test", "--noinput")

    assert done.returncode == 0, done.stderr
    assert "Ran 9 tests" in done.stderr


def test_it_never_loads_the_shop(library: dict[str, str]) -> None:
    script = (
        "import django, sys; django.setup();"
        "from library.notifications_worker import app; app.loader.import_default_modules();"
        "print(sorted(name for name in sys.modules if name.startswith('orders_site')))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=PROJECT,
        env={**library, "DJANGO_SETTINGS_MODULE": "library.settings"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert done.stdout.strip() == "[]", done.stderr
