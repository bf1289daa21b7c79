"""`make demo`: every order is delivered once, it says so, and it leaves nothing behind."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from pathlib import Path

import psycopg
import pytest

from notifications.local import variables
from notifications.local.providers.client import SandboxClient
from notifications.local.stack import Stack
from tests.process_table import descendants, listening, runs
from tests.stack import ROOT
from tests.waiting import wait_for

Demo = Callable[..., "subprocess.Popen[str]"]
COMMAND = [sys.executable, "-m", "orders_site.demo"]


@pytest.fixture
def demo(stack: Stack, tmp_path: Path) -> Iterator[Demo]:
    """`demo(*arguments, home="demo", **env)`: on parts of its own, ended after the test."""
    ours = {name: value for name, value in os.environ.items() if name not in stack.environment}
    with ExitStack() as exits:

        def demo(*arguments: str, home: str = "demo", **env: str) -> subprocess.Popen[str]:
            output = exits.enter_context((tmp_path / f"{home}.output").open("w"))
            process = subprocess.Popen(
                [*COMMAND, "--directory", str(tmp_path / home), *arguments],
                cwd=ROOT,
                env={**ours, **env},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                text=True,
            )
            exits.callback(process.wait, 30)
            exits.callback(process.terminate)
            return process

        yield demo


def lines(tmp_path: Path, home: str = "demo") -> list[str]:
    return (tmp_path / f"{home}.output").read_text().splitlines()


def is_open(tmp_path: Path, home: str = "demo") -> bool:
    """Whether it has said where its pages are."""
    return any("inbox:" in line for line in lines(tmp_path, home))


def listeners(process: subprocess.Popen[str]) -> set[tuple[str, int]]:
    """Where the demo and everything it started listens."""
    found: set[tuple[str, int]] = set()
    for pid in (process.pid, *descendants(process.pid)):
        with suppress(FileNotFoundError, ProcessLookupError):  # ended meanwhile
            found.update(listening(pid))
    return found


def addresses_in(logs: Path) -> list[str]:
    """The customers' mailboxes and numbers that stand in any log of any process."""
    written = "\n".join(log.read_text(errors="replace") for log in sorted(logs.glob("*.log")))
    assert "attempt" in written
    return re.findall(r"[\w.]+@example\.org|\+[1-9][0-9]{7,}", written)


def test_the_demo_delivers_every_message_once_and_says_so_and_listens_on_the_loopback_alone(
    demo: Demo, tmp_path: Path
) -> None:
    process = demo("--orders", "20", "--exit", "--json", DJANGO_SETTINGS_MODULE="another.project")
    wait_for(lambda: is_open(tmp_path), within=120, what="the house")
    found = listeners(process)
    assert {address for address, _ in found} == {"127.0.0.1"}
    assert len(found) >= 5  # PostgreSQL, SNS/SQS, the providers' HTTP and SMTP, web

    assert process.wait(120) == 0, lines(tmp_path)
    result = json.loads(lines(tmp_path)[-1])
    assert result["orders"] == 20
    assert result["events"] > 20
    assert result["expected"] <= result["accepted"] <= result["attempts"]
    assert (result["lost"], result["doubled"], result["uncalled"]) == (0, 0, 0)
    assert set(result["deliveries"]) == {"email", "sms", "whatsapp", "push"}
    assert result["deliveries"]["email"]["delivered"] > 0
    assert result["payments"]["charged"] > 0
    assert result["payments"]["refunded"] > 0
    assert (result["payments"]["doubled"], result["payments"]["unsettled"]) == (0, 0)
    assert addresses_in(tmp_path / "demo" / "logs") == []
    assert result["seconds"] > 0
    assert result["limits"]["email"]["per_second"] == 50
    assert 0 < result["limits"]["email"]["busiest"] <= 55
    assert "limits: email 50/s, push 10000/s, sms 25/s, whatsapp 80/s" in lines(tmp_path)


def test_messages_accepted_twice_and_never_fail_the_demo(
    demo: Demo, stack: Stack, sandbox: SandboxClient, tmp_path: Path
) -> None:
    sandbox.script("email", "accept_then_drop", times=1)
    sandbox.script("email", "refuse", code="MessageRejected", times=1)
    sandbox.script_receipts("email", [])  # else the receipt comes first, and nothing is doubled
    given = {
        "PROVIDER_SANDBOX_URL": sandbox.url,
        "GOOGLE_APPLICATION_CREDENTIALS": stack.environment["GOOGLE_APPLICATION_CREDENTIALS"],
    }
    assert demo("--orders", "5", "--exit", "--json", **given).wait(120) == 1, lines(tmp_path)
    result = json.loads(lines(tmp_path)[-1])
    assert (result["lost"], result["doubled"], result["uncalled"]) == (1, 1, 0)
    for what in ("doubled", "lost"):
        assert any(line.startswith(f"  {what}: order.") for line in lines(tmp_path))


def test_the_demo_killed_leaves_nothing_behind(demo: Demo, tmp_path: Path) -> None:
    process = demo("--orders", "5")
    last = tmp_path / "demo" / "logs" / "worker-shop.log"
    wait_for(last.exists, within=120, what="the last of the workers to be started")
    children = descendants(process.pid)
    assert len(children) >= 9  # guardian, three parts, web, relay and three workers
    process.send_signal(signal.SIGKILL)
    process.wait(60)
    wait_for(lambda: not any(map(runs, children)), within=30, what="every child to be gone")


def test_a_part_that_ends_by_itself_ends_the_demo_with_the_reason(
    demo: Demo, tmp_path: Path
) -> None:
    process = demo("--orders", "1000")
    wait_for(lambda: is_open(tmp_path), within=120, what="the house")
    children = {pid: Path(f"/proc/{pid}/cmdline").read_text() for pid in descendants(process.pid)}
    [emulator] = [pid for pid, command in children.items() if command.endswith("-m\0ministack\0")]
    os.kill(emulator, signal.SIGKILL)
    assert process.wait(60) == 2
    assert "ministack ended by itself (exit status -9)" in "\n".join(lines(tmp_path))


def test_orders_that_can_no_longer_be_placed_end_the_demo_with_the_reason(
    demo: Demo, tmp_path: Path
) -> None:
    process = demo("--orders", "1000")
    wait_for(lambda: is_open(tmp_path), within=120, what="the house")
    with psycopg.connect(variables.read(tmp_path / "demo" / "env")["DATABASE_URL"]) as database:
        database.execute("ALTER TABLE orders_order ADD CONSTRAINT no_more CHECK (false) NOT VALID")
    assert process.wait(60) == 2
    assert lines(tmp_path)[-1].startswith("The demo cannot go on: new row for relation")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--orders", "0"], "'0' is not a whole number from 1 to 1,000,000"),
        (["--orders", "many"], "'many' is not a whole number"),
        (["--rate", "-1"], "'-1' is not a number from 0.01 to 100,000"),
        (["--rate", "nan"], "'nan' is not a number"),
    ],
)
def test_a_wrong_argument_gets_one_clear_line(arguments: list[str], message: str) -> None:
    done = subprocess.run([*COMMAND, *arguments], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 2
    assert message in done.stderr.splitlines()[-1]


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"DEMO_WEB_PORT": "web"}, "DEMO_WEB_PORT is 'web': use a port number, or leave it out."),
        ({"LOCAL_AWS": "rabbit"}, "LOCAL_AWS is 'rabbit': use ministack, fauxqs, account"),
    ],
)
def test_a_wrong_setting_of_the_demo_gets_one_clear_line(
    demo: Demo, tmp_path: Path, given: dict[str, str], message: str
) -> None:
    assert demo(**given).wait(60) == 2
    assert message in lines(tmp_path)[-1]
