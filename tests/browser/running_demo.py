"""The demo as a newcomer starts it, with trouble in it, for a browser to walk through."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from notifications.local.providers.client import SandboxClient
from notifications.local.stack import Stack
from tests.stack import ROOT
from tests.waiting import wait_for

ORDERS = 20


@dataclass(frozen=True)
class RunningDemo:
    """admin: its address, with the slash. user, password: of the superuser that it prints."""

    admin: str
    user: str
    password: str
    inbox: str

    def enable_currency(self, currency: str) -> None:
        """What makes the bad orders' charges possible: the mend of the bug."""
        with SandboxClient(self.inbox) as sandbox:
            sandbox.take_currency(currency)

    def let_fail(self, channel: str) -> None:
        """The provider's account is broken, until it works again."""
        with SandboxClient(self.inbox) as sandbox:
            sandbox.script(channel, "server_error")

    def let_work(self, channel: str) -> None:
        with SandboxClient(self.inbox) as sandbox:
            sandbox.forget_script(channel)


@contextmanager
def running_demo(stack: Stack, directory: Path) -> Iterator[RunningDemo]:
    """`make demo TROUBLE=1`, on parts of its own, until the block ends."""
    output = directory / "demo.output"
    environment = {
        name: value for name, value in os.environ.items() if name not in stack.environment
    }
    environment["EDIT_AND_RESEND"] = "1"
    command = [sys.executable, "-m", "orders_site.demo", "--directory", str(directory / "demo")]
    with output.open("w") as written:
        process = subprocess.Popen(
            [*command, "--orders", str(ORDERS), "--rate", "20", "--trouble"],
            cwd=ROOT,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=written,
            stderr=subprocess.STDOUT,
        )
    try:
        wait_for(lambda: "inbox: http" in output.read_text(), within=90, what="the demo's pages")
        yield _read(output.read_text())
    finally:
        process.terminate()
        with suppress(subprocess.TimeoutExpired):
            process.wait(30)
        process.kill()


def _read(printed: str) -> RunningDemo:
    admin = re.search(r"^admin: (\S+) +user (\S+) +password (\S+)$", printed, re.MULTILINE)
    inbox = re.search(r"^inbox: (\S+)$", printed, re.MULTILINE)
    assert admin, printed
    assert inbox, printed
    return RunningDemo(*admin.groups(), inbox=inbox[1])
