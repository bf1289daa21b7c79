"""Identity: what a body says of itself, as far as it does, by which a dead letter is found."""

from __future__ import annotations

import re
from contextlib import suppress
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from notifications import envelope
from notifications.envelope import Envelope

MAX_TYPE, MAX_SUBJECT = 100, 255
"""Characters, as rows keep them. What is longer is left out: cut, it would name another."""

_NOT_KEPT = re.compile(r"[\0\ud800-\udfff]")


@dataclass(frozen=True)
class Identity:
    """Empty where the body does not say it. Not to be trusted: anybody may have written it."""

    event_id: UUID | None = None
    event_type: str = ""
    subject: str = ""
    generation: int = 0

    @classmethod
    def of(cls, event: Envelope) -> Identity:
        return cls(event.id, event.type, event.subject, event.generation)


NOBODY = Identity()


def identify(body: str) -> Identity:
    """The identity of an event; of what only looks like one, as much as it says. Never raises."""
    for look in (_known, _claimed):
        with suppress(Exception):  # a shop's own model or subject may raise anything
            return look(body)
    return NOBODY


def _known(body: str) -> Identity:
    return Identity.of(envelope.read(body))


def _claimed(text: str) -> Identity:
    """An event of a type, version or data that is not known here still says what it is about."""
    body = envelope.json_object(text)
    if (message := envelope.unwrapped(body)) is not None:
        body = envelope.json_object(message)
    if "specversion" in body:
        return Identity(
            event_id=_uuid(body.get("id")),
            event_type=_text(body.get("type"), MAX_TYPE),
            subject=_text(body.get("subject"), MAX_SUBJECT),
            generation=_generation(body.get("generation")),
        )
    return Identity(
        event_id=_uuid(body.get("id")), event_type=_text(body.get("event_type"), MAX_TYPE)
    )


def _text(value: Any, most: int) -> str:
    fits = isinstance(value, str) and len(value) <= most and not _NOT_KEPT.search(value)
    return value if fits else ""


def _uuid(value: Any) -> UUID | None:
    try:
        return UUID(value) if isinstance(value, str) else None
    except ValueError:
        return None


def _generation(value: Any) -> int:
    whole = isinstance(value, int) and not isinstance(value, bool)
    return value if whole and 0 <= value < 2**31 else 0
