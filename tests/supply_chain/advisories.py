"""What registries know to be wrong with the packages that are pinned."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Known:
    """Advisories by "name version", and which of those versions could be asked about."""

    advisories: Mapping[str, list[str]]
    unasked: frozenset[str]
    asked: frozenset[str]


def believed(known: Known, wrong: str) -> Known:
    """What was learnt beside `wrong`, whose holes are known; else all of it counts as not asked.

    Of a registry that does not know even them, nothing is learnt of anything else.
    """
    if wrong not in known.advisories:
        return Known({}, (known.asked | known.unasked) - {wrong}, frozenset())
    advisories = {pin: ids for pin, ids in known.advisories.items() if pin != wrong}
    return Known(advisories, known.unasked, known.asked - {wrong})
