"""`celeryconfig.py` holds data: names and their values, each with its reason beside it."""

from __future__ import annotations

import ast
import runpy
from pathlib import Path

import pytest

SOURCE = Path(__file__).resolve().parents[2] / "celeryconfig.py"


def test_it_holds_nothing_but_names_and_their_values() -> None:
    docstring, *rest = ast.parse(SOURCE.read_text()).body
    assert isinstance(docstring, ast.Expr)
    assert {type(statement) for statement in rest} == {ast.ImportFrom, ast.Assign}


def test_each_line_or_its_group_says_why_it_stands() -> None:
    for group in SOURCE.read_text().split("\n\n")[3:]:
        assert "# " in group, group


def test_the_environment_sets_the_limits_of_the_channels(monkeypatch: pytest.MonkeyPatch) -> None:
    for channel, rate in {"EMAIL": "14/s", "SMS": "none", "WHATSAPP": ""}.items():
        monkeypatch.setenv(f"{channel}_RATE_LIMIT", rate)
    monkeypatch.delenv("PUSH_RATE_LIMIT", raising=False)

    assert runpy.run_path(str(SOURCE))["task_annotations"] == {
        "notifications.email": {"rate_limit": "14/s"},
        "notifications.sms": {"rate_limit": None},
    }
