"""docs/code.md names every file of `notifications` and of its worker, by its own first sentence."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "code.md"

ROW = re.compile(r"^\| \[`(\w+\.py)`\]\(\.\./([\w/]+\.py)\) \| (.+) \|$", re.MULTILINE)
SENTENCE = re.compile(r'.+?[.!?](?= [A-Z`"]|$)')


def modules() -> Iterator[Path]:
    for folder in ("notifications", "notifications/worker"):
        yield from (path for path in (ROOT / folder).glob("*.py") if path.stem != "__init__")


def first_sentence(path: Path) -> str:
    docstring = ast.get_docstring(ast.parse(path.read_text()))
    assert docstring, f"{path} says nothing of itself"
    paragraph = " ".join(docstring.partition("\n\n")[0].split())
    found = SENTENCE.match(paragraph)
    assert found, f"{path}: its docstring begins with no sentence"
    return found[0]


def test_each_file_is_on_the_page_once_by_its_own_first_sentence() -> None:
    rows = ROW.findall(PAGE.read_text())
    assert all(Path(path).name == name for name, path, _ in rows)
    told = sorted((path, said) for _, path, said in rows)
    assert told == sorted((str(path.relative_to(ROOT)), first_sentence(path)) for path in modules())


def test_each_folder_is_on_the_page() -> None:
    text = PAGE.read_text()
    folders = {path.parent.name for path in (ROOT / "notifications").glob("*/__init__.py")}
    missing = {name for name in folders - {"migrations"} if f"`notifications/{name}/" not in text}
    assert not missing
