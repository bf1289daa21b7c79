"""Bodies: a message as it came, made fit to be read by a person at a terminal."""

from __future__ import annotations

import json
from contextlib import suppress

from notifications.redaction import redact

MAX_SHOWN = 100_000
"""Characters of a body that are shown; what is kept may be longer."""


def readable(raw: bytes) -> str:
    """Indented if it is JSON, else as it stands. Addresses and credentials are masked, and what
    would steer a terminal is spelled out; cut at MAX_SHOWN."""
    text = raw.decode(errors="backslashreplace")
    with suppress(ValueError, RecursionError):
        text = json.dumps(json.loads(text), indent=2, ensure_ascii=False)
    shown = redact(printable(text[:MAX_SHOWN]), limit=2 * MAX_SHOWN)
    rest = len(text) - MAX_SHOWN
    return f"{shown}\n… and {rest} characters more" if rest > 0 else shown


def printable(text: str) -> str:
    """Control characters, lone surrogates and marks that turn text around, shown by their codes."""
    if text.isprintable():
        return text
    return "".join(
        character
        if character.isprintable() or character in "\n\t"
        else character.encode("unicode_escape").decode()
        for character in text
    )
