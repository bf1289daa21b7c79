"""Spans that somebody asks for and nobody would get."""

from __future__ import annotations

from collections.abc import Iterator

from django.core.checks import CheckMessage, Warning

from notifications import spans


def check_spans() -> Iterator[CheckMessage]:
    """A warning: no message waits for a span."""
    if why := spans.problem():
        yield Warning(f"No spans are made: {why}", id="notifications.W081")
