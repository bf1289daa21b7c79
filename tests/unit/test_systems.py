"""docs/systems.md and the marks S0 to S4 say the same."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

import pytest

from tests.catalogue import TESTS, every_test, named_in

TABLE = TESTS.parent / "docs" / "systems.md"
SYSTEMS = ["S0", "S1", "S2", "S3", "S4"]
_MARK = re.compile(r"pytest\.mark\.(S[0-4])\b")


def rows() -> Iterator[tuple[str, str, list[str]]]:
    """Of each row: its system, what must hold, and the tests that show it."""
    system = ""
    for line in TABLE.read_text().splitlines():
        if heading := re.match(r"## (S[0-4]) ", line):
            system = heading[1]
        elif line.startswith("| ") and not line.startswith("| what"):
            must_hold, shown = (cell.strip() for cell in line.strip("|").split(" | ", 1))
            yield system, must_hold, named_in(shown)


def named() -> set[tuple[str, str]]:
    """(system, test) as the tables have them."""
    return {(system, test) for system, _, tests in rows() for test in tests}


def marked() -> set[tuple[str, str]]:
    """(system, test) as the tests are marked, each by itself or with its whole module."""
    return {
        (system, name)
        for name, test, module in every_test()
        for system in _of_all(module)
        + _MARK.findall(" ".join(map(ast.unparse, test.decorator_list)))
    }


def _of_all(module: ast.Module) -> list[str]:
    return [
        system
        for node in module.body
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "pytestmark"
        for system in _MARK.findall(ast.unparse(node.value))
    ]


def test_every_test_that_is_marked_has_its_row() -> None:
    assert sorted(marked() - named()) == []


def test_every_test_of_the_tables_is_there_and_marked() -> None:
    assert sorted(named() - marked()) == []


@pytest.mark.parametrize("system", SYSTEMS)
def test_each_line_of_a_system_is_shown_by_a_test(system: str) -> None:
    lines = [(must_hold, tests) for of, must_hold, tests in rows() if of == system]
    assert lines
    assert [must_hold for must_hold, tests in lines if not tests] == []
