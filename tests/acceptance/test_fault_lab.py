"""`make chaos`: everything is killed, cut off and restarted, and nothing is lost or done twice."""

from __future__ import annotations

import json
import os
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

Lab = Callable[..., "subprocess.Popen[str]"]
WITHIN = 400
"""Seconds: generous; it takes 30 on two cores that nobody else uses, and 80 on busy ones."""


@pytest.fixture
def lab(stack: Stack, tmp_path: Path) -> Iterator[Lab]:
    """`lab(*arguments)`: on parts of its own, its output in `<tmp_path>/output`."""
    ours = {name: value for name, value in os.environ.items() if name not in stack.environment}
    with ExitStack() as exits:

        def lab(*arguments: str) -> subprocess.Popen[str]:
            output = exits.enter_context((tmp_path / "output").open("w"))
            process = subprocess.Popen(
                [sys.executable, "-m", "tests.chaos", *arguments],
                cwd=ROOT,
                env=ours,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                text=True,
            )
            exits.callback(process.wait, 60)
            exits.callback(process.terminate)
            return process

        yield lab


def played(lab: Lab, tmp_path: Path, *arguments: str) -> dict[str, float]:
    """The result of a run that held, and that left no process behind."""
    process = lab(*arguments, "--json", "--verbose")
    started: set[int] = set()

    def ended() -> bool:
        started.update(descendants(process.pid))
        return process.poll() is not None

    wait_for(ended, within=WITHIN, what="the lab to end")
    printed = (tmp_path / "output").read_text()
    assert process.returncode == 0, printed
    for verb in ("kill ", "stop ", "crash ", "restart ", "disturb ", "script ", "down "):
        assert verb in printed
    assert len(started) > 12, "what was killed was started again"
    assert not list(filter(runs, started)), "and nothing is left"
    result: dict[str, float] = json.loads(printed.splitlines()[-1])
    return result


@pytest.mark.S4
def test_nothing_is_lost_and_nothing_done_twice_whatever_goes_wrong(
    lab: Lab, tmp_path: Path
) -> None:
    result = played(lab, tmp_path, "--orders", "60", "--seed", "6")
    assert list(result) == [
        *("orders", "called_for", "accepted", "lost", "doubled"),
        *("doubled_by_policy", "unknown", "dead_lettered"),
        *("charged", "charged_twice", "uncharged", "money_off", "stock_off", "unrecorded"),
        "seconds",
    ]
    assert result["orders"] >= 60
    assert result["called_for"] > 120
    assert (result["lost"], result["doubled"]) == (0, 0)
    assert 30 < result["charged"] <= result["orders"]
    wrong = ("charged_twice", "uncharged", "money_off", "stock_off", "unrecorded")
    assert [result[what] for what in wrong] == [0, 0, 0, 0, 0]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--orders", "0"], "'0' is not a whole number from 1 to 10,000"),
        (["--seed", "x"], "invalid int value: 'x'"),
    ],
)
def test_a_wrong_argument_of_the_lab_gets_one_clear_line(
    arguments: list[str], message: str
) -> None:
    command = [sys.executable, "-m", "tests.chaos", *arguments]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 2
    assert message in done.stderr.splitlines()[-1]
