"""docs/channels.md says what the tests show."""

from __future__ import annotations

import os
from pathlib import Path

from tests.codes.page import MARK, written

PAGE = Path(__file__).resolve().parents[2] / "docs" / "channels.md"


def test_the_page_of_the_channels_is_written_from_the_tables() -> None:
    """To accept a change: UPDATE_SNAPSHOTS=1 make test ARGS=tests/unit/test_channels_page.py"""
    if os.environ.get("UPDATE_SNAPSHOTS"):
        PAGE.write_text(PAGE.read_text().partition(MARK)[0] + written())

    _, mark, from_the_tables = PAGE.read_text().partition(MARK)
    assert mark + from_the_tables == written()
