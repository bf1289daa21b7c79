"""The runbooks are where the alarms and the page's own table look for them, and name real tests and
commands."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.core.management import CommandError, get_commands, load_command_class

from notifications import alarm_pages
from notifications.alarm_pages import RUNBOOKS, Alarm

ROOT = Path(__file__).resolve().parents[2]
TEXT = (ROOT / RUNBOOKS).read_text()
ANCHORS = re.findall(r'<a id="([a-z-]+)"></a>\n## ', TEXT)
OURS = ("notifications", "orders_site")
BLOCK = re.compile(r"^```\w*\n(.*?)^```", re.DOTALL | re.MULTILINE)


@pytest.mark.parametrize("alarm", Alarm)
def test_every_alarm_has_its_runbook(alarm: Alarm) -> None:
    assert alarm_pages.of(alarm).anchor in ANCHORS


def test_every_runbook_is_in_the_table_and_nothing_else_is() -> None:
    assert set(re.findall(r"\]\(#([a-z-]+)\)", TEXT)) == set(ANCHORS)
    assert len(ANCHORS) == len(set(ANCHORS))


@pytest.mark.parametrize("anchor", ANCHORS)
def test_every_runbook_says_when_it_is_over_and_which_test_holds_it(anchor: str) -> None:
    section = TEXT.split(f'<a id="{anchor}"></a>')[1].split("<a id=")[0]
    assert "**Over when**" in section
    assert "**Shows.**" in section or anchor in ("secrets", "replaying-a-day", "restoring")
    held = section.split("*Held by*")[1]
    folder = ""
    for name in re.findall(r"`([\w/]+\.py)`", held):
        folder = name.rpartition("/")[0] or folder
        assert (ROOT / "tests" / folder / name.rpartition("/")[2]).exists(), name


def test_the_page_about_upgrades_names_real_tests() -> None:
    page = (ROOT / "docs/upgrading.md").read_text()
    for name in re.findall(r"`(?:[\w/]+/)?(test_\w+\.py)`", page):
        assert list((ROOT / "tests").rglob(name)), name


def test_the_page_about_commands_has_each_of_ours() -> None:
    processes = {"relay", "local", "demo", "place_orders"}
    ours = {name for name, app in get_commands().items() if str(app).startswith(OURS)}
    page = (ROOT / "docs/commands.md").read_text()
    assert ours - set(re.findall(r"`manage\.py (\w+)", page)) == processes


def test_every_command_of_the_runbooks_is_one_that_the_command_takes() -> None:
    lines = dict.fromkeys(_commands(TEXT))
    assert len(lines) > 30
    assert [wrong for line in lines for wrong in _wrong_about(line)] == []


def _commands(text: str) -> Iterator[str]:
    """What is to be typed behind `manage.py`, which is left out where the name says enough."""
    for block in BLOCK.findall(text):
        yield from re.findall(r"(?:^|\s)manage\.py (.*)", block)
    for span in re.findall(r"`([^`]+)`", BLOCK.sub("", text)):
        _, manage, typed = " ".join(span.split()).rpartition("manage.py ")
        if (manage and typed[0] != "…") or (" --" in typed and typed.split()[0] in get_commands()):
            yield typed


def _wrong_about(line: str) -> Iterator[str]:
    said: list[str] = []
    for given in ("1", "01a217b6-7212-7000-8000-000000000000", "f9f15c18624cbcc3"):
        typed = re.sub("<.*?>", given, line.replace(" …", ""))
        name, *words = shlex.split(typed, comments=True)
        if name not in get_commands():
            yield f"{line}: there is no such command"
            return
        command = load_command_class(get_commands()[name], name)
        try:
            command.create_parser("manage.py", name).parse_args(words)
        except CommandError as error:
            said.append(f"{line}: {error}")
        else:
            return
    yield said[0]
