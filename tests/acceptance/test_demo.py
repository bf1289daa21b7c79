"""`make demo`: every order is delivered once, it says so, and it leaves nothing behind."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from notifications.local.stack import Stack
from tests.process_table import descendants, runs
from tests.stack import ROOT
from tests.waiting import wait_for

Demo = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def demo(stack: Stack, tmp_path: Path) -> Iterator[Demo]:
    """`demo(*arguments)`: a demo on parts of its own, ended after the test."""
    ours = {name: value for name, value in os.environ.items() if name not in stack.environment}
    with ExitStack() as exits:

        def demo(*arguments: str) -> subprocess.Popen[str]:
            command = [sys.executable, "-m", "orders_site.demo", "--directory", str(tmp_path)]
            output = exits.enter_context((tmp_path / "output").open("w"))
            process = subprocess.Popen(
                [*command, *arguments],
                cwd=ROOT,
                env=ours,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                text=True,
            )
            exits.callback(process.wait, 30)
            exits.callback(process.terminate)
            return process

        yield demo


def lines(tmp_path: Path) -> list[str]:
    return (tmp_path / "output").read_text().splitlines()


def test_the_demo_delivers_every_message_once_and_says_so(demo: Demo, tmp_path: Path) -> None:
    assert demo("--orders", "20", "--exit", "--json").wait(120) == 0, lines(tmp_path)
    result = json.loads(lines(tmp_path)[-1])
    assert result["orders"] == 20
    assert result["events"] > 20
    assert result["expected"] <= result["accepted"] <= result["attempts"]
    assert (result["lost"], result["doubled"], result["uncalled"]) == (0, 0, 0)
    assert set(result["deliveries"]) == {"email", "sms", "whatsapp", "push"}


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_the_demo_leaves_no_process_behind(demo: Demo, tmp_path: Path, number: int) -> None:
    process = demo("--orders", "5")
    wait_for(lambda: any("inbox:" in line for line in lines(tmp_path)), within=60, what="the house")
    children = descendants(process.pid)
    assert len(children) >= 8  # guardian, three parts, web, relay and two workers
    process.send_signal(number)
    process.wait(60)
    wait_for(lambda: not any(map(runs, children)), within=30, what="every child to be gone")
