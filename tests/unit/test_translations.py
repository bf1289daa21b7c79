"""The customers' pages in other languages: complete, and compiled as they were written."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from babel.messages.catalog import Catalog
from babel.messages.mofile import read_mo
from babel.messages.pofile import read_po

ROOT = Path(__file__).resolve().parents[2]
CATALOGUES = sorted(ROOT.glob("*/locale/*/LC_MESSAGES/django.po"))
PAGES = ROOT / "notifications" / "templates" / "notifications_pages"
TRANSLATED = re.compile(
    r'{%\s*translate "([^"]+)"|{%\s*blocktranslate[^%]*%}(.*?){%\s*endblocktranslate', re.S
)


def test_there_is_something_to_look_at() -> None:
    assert [path.parts[-5] for path in CATALOGUES] == ["notifications", "orders_site"]


@pytest.mark.parametrize("path", CATALOGUES, ids=lambda path: path.parts[-5])
def test_a_catalogue_is_compiled_as_it_is_written(path: Path) -> None:
    """`make translations` compiles it."""
    written, compiled = _read(path, read_po), _read(path.with_suffix(".mo"), read_mo)

    assert written == compiled
    assert all(written.values())


def test_every_sentence_of_the_pages_is_in_german() -> None:
    german = ROOT / "notifications/locale/de/LC_MESSAGES/django.po"
    known = {sentence for _, sentence in _read(german, read_po)}
    said = {
        re.sub(r"{{\s*(\w+)\s*}}", r"%(\1)s", single or block).strip()
        for page in PAGES.glob("*.html")
        for single, block in TRANSLATED.findall(page.read_text())
    }
    assert len(said) > 15
    assert said <= known


def _read(path: Path, read: Callable[[Any], Catalog]) -> dict[tuple[str, str], str]:
    """The translations, without the header, which tells the time."""
    with path.open("rb") as file:
        return {(_context(each.context), each.id): each.string for each in read(file) if each.id}


def _context(given: str | bytes | None) -> str:
    """Babel reads it as bytes from one of the two formats."""
    return given.decode() if isinstance(given, bytes) else given or ""
