"""Texts that people typed, as a column takes them."""

from __future__ import annotations


def fit(text: str, most: int) -> str:
    """Without NUL, which PostgreSQL does not keep, and cut to `most` characters."""
    return text.replace("\0", "")[:most]
