"""Every test by its name, and the names that a page gives of some."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

TESTS = Path(__file__).resolve().parent
_NAMED = re.compile(r"`([\w/]+\.py::\w+)`")


def every_test() -> Iterator[tuple[str, ast.FunctionDef, ast.Module]]:
    """("unit/test_x.py::test_y", the function, its module)."""
    for path in sorted(TESTS.rglob("test_*.py")):
        module = ast.parse(path.read_text())
        for node in module.body:
            if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
                yield f"{path.relative_to(TESTS)}::{node.name}", node, module


def named_in(text: str) -> list[str]:
    """The tests that a page, or a cell of it, names."""
    return _NAMED.findall(text)
