"""docs/traps.md and the marks `@pytest.mark.trap(<number>)` say the same."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

TESTS = Path(__file__).resolve().parents[1]
TABLE = TESTS.parent / "docs" / "traps.md"
NEEDED = set(range(1, 28))


def rows() -> dict[int, list[str]]:
    """The cells of each row, by its number."""
    lines = [line for line in TABLE.read_text().splitlines() if re.match(r"\| \d+ \|", line)]
    cells = [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines]
    return {int(number): rest for number, *rest in cells}


def named() -> set[tuple[int, str]]:
    """(trap, test) as the table has them."""
    return {
        (number, test)
        for number, row in rows().items()
        for test in row[2].split("`")
        if "::" in test
    }


def marked() -> Iterator[tuple[int, str]]:
    """(trap, test) as the tests are marked."""
    for path in sorted(TESTS.rglob("test_*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.FunctionDef):
                for trap in traps_of(node):
                    yield trap, f"{path.relative_to(TESTS)}::{node.name}"


def traps_of(test: ast.FunctionDef) -> Iterator[int]:
    for decorator in test.decorator_list:
        if isinstance(decorator, ast.Call) and ast.unparse(decorator.func) == "pytest.mark.trap":
            yield ast.literal_eval(decorator.args[0])


def test_the_table_names_the_tests_that_are_marked_and_no_others() -> None:
    assert named() == set(marked())


@pytest.mark.parametrize("number", sorted(NEEDED))
def test_each_trap_has_a_row_that_says_what_removes_it_and_a_test(number: int) -> None:
    trap, remedy, _ = rows()[number]
    assert trap
    assert remedy
    assert any(number == of for of, _ in named())
