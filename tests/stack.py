"""A pytest plugin (`-p tests.stack`): the embedded parts, private to this pytest process.

They are started before Django's settings are read and thrown away at the end. Tests
empty queues and drop databases, so they never touch what the shell's environment
happens to point at. One exception is asked for by name: `TEST_DATABASE_URL`, a
PostgreSQL server to test against (its user must be allowed to create databases).

Under `pytest -n` every worker process has parts of its own, and the process that only
hands out the tests has none.
"""

from __future__ import annotations

import argparse
import fcntl
import os
import shutil
import tempfile
from collections.abc import Generator
from pathlib import Path

import pytest

from notifications.local.directories import locked
from notifications.local.stack import Stack

ROOT = Path(__file__).resolve().parent.parent
LOCAL = ROOT / ".local"
TESTS = LOCAL / "tests"
PREFIX = "test"

NO_ACCOUNT = {
    "AWS_CONFIG_FILE": os.devnull,
    "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
    "AWS_EC2_METADATA_DISABLED": "true",
}
"""So that no mistake in a test can reach somebody's real AWS account."""

stack_key = pytest.StashKey[Stack]()


@pytest.hookimpl(wrapper=True)
def pytest_load_initial_conftests(early_config: pytest.Config) -> Generator[None, None, None]:
    """A wrapper, because pytest-django reads the settings in this very hook."""
    if _runs_tests(early_config.known_args_namespace):
        stack = _start()
        early_config.stash[stack_key] = stack
        early_config.add_cleanup(lambda: _stop(stack))
    _settle_environment(early_config.stash.get(stack_key, None))
    yield


def _runs_tests(options: argparse.Namespace) -> bool:
    if options.help or options.version or options.collectonly:
        return False
    hands_them_out = getattr(options, "numprocesses", None) and not _is_worker()
    return not hands_them_out


def _is_worker() -> bool:
    return "PYTEST_XDIST_WORKER" in os.environ


def _start() -> Stack:
    given = {}
    if url := os.environ.get("TEST_DATABASE_URL"):
        given["DATABASE_URL"] = url
    with locked(TESTS / "lock"):
        _remove_leftovers()
        directory = Path(tempfile.mkdtemp(dir=TESTS))
        return Stack(directory, shared=LOCAL, given=given, durable=False).start()


def _stop(stack: Stack) -> None:
    stack.stop()
    shutil.rmtree(stack.directories.home)


def _remove_leftovers() -> None:
    """Directories of pytest processes that were killed: nobody holds their lock any more."""
    for file in TESTS.glob("*/lock"):
        with file.open("a") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                continue
            shutil.rmtree(file.parent, ignore_errors=True)


def _settle_environment(stack: Stack | None) -> None:
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        if name != "AWS_CA_BUNDLE":
            del os.environ[name]
    os.environ.pop("DATABASE_URL", None)
    os.environ |= {**NO_ACCOUNT, "NOTIFICATIONS_PREFIX": PREFIX}
    if stack is not None:
        os.environ |= stack.environment
