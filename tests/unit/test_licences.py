"""Nothing is installed under a licence that nobody has read."""

from __future__ import annotations

import pytest

from tests.supply_chain import licences
from tests.supply_chain.packages import EMULATOR, OURS, pinned


def test_every_package_is_permissive_or_named() -> None:
    assert licences.surprises() == {}


def test_nobody_is_named_who_is_not_there() -> None:
    assert set(licences.NAMED) - set(pinned(OURS)) == set()
    assert set(licences.MINISTACK) == set(pinned(EMULATOR))


def test_the_page_says_what_is_installed() -> None:
    """`make licences` writes it."""
    assert licences.PAGE.read_text().endswith(licences.page())


@pytest.mark.parametrize(
    ("licence", "permissive"),
    [
        ("Apache-2.0 AND MIT", True),
        ("GPL-3.0-only OR MIT", True),
        ("MIT AND GPL-3.0-only", False),
        ("MIT OR ISC AND GPL-3.0-only", True),
        ("(MIT OR ISC) AND GPL-3.0-only", False),
        ("MIT AND (GPL-3.0-only OR (ISC AND BSD-3-Clause))", True),
        ("Apache-2.0 WITH LLVM-exception", True),
        ("GPL-3.0-only WITH GCC-exception-3.1 AND MIT", False),
        ("BSD", True),
        ("MIT, or what you like", False),
    ],
)
def test_of_an_and_each_licence_counts_and_of_an_or_the_best(
    licence: str, permissive: bool
) -> None:
    assert licences._is_permissive(licence) is permissive


def test_a_permissive_word_beside_another_does_not_hide_it() -> None:
    assert licences.of_words(["MIT", "MIT License"]) == "MIT"
    assert licences.of_words(["", "BSD License", "New BSD"]) == "BSD-3-Clause"
    both = licences.of_words(["", "MIT License", "GNU General Public License v3 (GPLv3)"])
    assert both == "MIT / GNU General Public License v3 (GPLv3)"
    assert not licences._is_permissive(both)
