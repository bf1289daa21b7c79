"""docs/security.md: each threat is held by a test that is there, or said to be open."""

from __future__ import annotations

from collections.abc import Iterator

from tests.catalogue import TESTS, every_test, named_in

PAGE = TESTS.parent / "docs" / "security.md"


def threats() -> Iterator[str]:
    """The rows of every table that says by what each is shown."""
    shown = False
    for line in PAGE.read_text().splitlines():
        if not line.startswith("|"):
            shown = False
        elif line.endswith("| shown by |"):
            shown = True
        elif shown and not line.startswith("|---"):
            yield line


def test_each_threat_is_shown_to_be_held() -> None:
    rows = list(threats())
    assert len(rows) > 40
    assert [row for row in rows if not named_in(row)] == []


def test_every_test_that_is_named_is_there() -> None:
    there = {name for name, _, _ in every_test()}
    assert sorted(set(named_in(PAGE.read_text())) - there) == []
