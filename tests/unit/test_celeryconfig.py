"""`celeryconfig.py` holds data: names and their values, each with its reason beside it."""

from __future__ import annotations

import ast
from pathlib import Path

SOURCE = Path(__file__).resolve().parents[2] / "celeryconfig.py"


def test_it_holds_nothing_but_names_and_their_values() -> None:
    docstring, *rest = ast.parse(SOURCE.read_text()).body
    assert isinstance(docstring, ast.Expr)
    assert {type(statement) for statement in rest} == {ast.Import, ast.Assign}


def test_each_line_or_its_group_says_why_it_stands() -> None:
    for group in SOURCE.read_text().split("\n\n")[3:]:
        assert "# " in group, group
