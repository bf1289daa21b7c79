"""Texts that somebody else wrote (a person, a provider, the shop), as a column takes them."""

from __future__ import annotations

import re

_NOT_KEPT = re.compile(r"[\0\ud800-\udfff]")


def keepable(text: str) -> str:
    """Without NUL and half surrogate pairs, which PostgreSQL does not keep."""
    return _NOT_KEPT.sub("", text)


def is_keepable(text: str) -> bool:
    return not _NOT_KEPT.search(text)


def fit(text: str, most: int) -> str:
    """The same, cut to `most` characters."""
    return keepable(text)[:most]
