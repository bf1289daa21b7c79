"""`make blackfriday`: analytics falls behind, twelve orders are dead letters, and all come home."""

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

Friday = Callable[..., "subprocess.Popen[str]"]
COMMAND = [sys.executable, "-m", "orders_site.blackfriday"]
WITHIN = 300
"""Seconds: generous; it takes 25 on two cores that nobody else uses."""


@pytest.fixture
def friday(stack: Stack, tmp_path: Path) -> Iterator[Friday]:
    """`friday(*arguments)`: on parts of its own, its output in `<tmp_path>/output`."""
    ours = {name: value for name, value in os.environ.items() if name not in stack.environment}
    with ExitStack() as exits:

        def friday(*arguments: str) -> subprocess.Popen[str]:
            output = exits.enter_context((tmp_path / "output").open("w"))
            process = subprocess.Popen(
                [*COMMAND, *arguments],
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

        yield friday


@pytest.mark.S2
def test_s2_twelve_dead_letters_come_home_once_while_analytics_lags_and_nobody_notices(
    friday: Friday, tmp_path: Path
) -> None:
    process = friday("--orders", "40", "--json")
    started: set[int] = set()

    def ended() -> bool:
        started.update(descendants(process.pid))
        return process.poll() is not None

    wait_for(ended, within=WITHIN, what="the day to end")
    printed = (tmp_path / "output").read_text()
    assert process.returncode == 0, printed
    assert len(started) >= 9  # guardian, three parts, relay, four workers, what was typed
    assert not list(filter(runs, started)), "and nothing is left"

    result = json.loads(printed.splitlines()[-1])
    assert list(result) == [
        *("orders", "bad", "dead_lettered", "redriven", "processed_after", "processed_twice"),
        *("lost", "payments_lag_p95", "analytics_lag_max", "seconds"),
    ]
    assert result["orders"] == 40
    home = (result["bad"], result["dead_lettered"], result["redriven"], result["processed_after"])
    assert home == (12, 12, 12, 12)
    assert (result["processed_twice"], result["lost"]) == (0, 0)
    assert result["payments_lag_p95"] < result["analytics_lag_max"]

    groups = [line for line in printed.splitlines() if "currency_not_supported" in line]
    assert len(groups) == 1, "one cause"
    assert groups[0].startswith("12  ")
    assert "$ manage.py redrive --fingerprint" in printed
    assert "job 1 is done: 12 done" in printed


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--orders", "12"], "'12' is not a whole number from 20 to 100,000"),
        (["--orders", "many"], "'many' is not a whole number"),
        (["--seed", "x"], "invalid int value: 'x'"),
    ],
)
def test_a_wrong_argument_of_the_day_gets_one_clear_line(
    arguments: list[str], message: str
) -> None:
    done = subprocess.run([*COMMAND, *arguments], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 2
    assert message in done.stderr.splitlines()[-1]
