"""System check of what operators may put right before they resend."""

from __future__ import annotations

from collections.abc import Iterator

from django.core.checks import CheckMessage, Error

from notifications import edits, events
from notifications.conf import Editable, conf
from notifications.exceptions import UnknownEvent


def check_editable() -> Iterator[CheckMessage]:
    for name, editable in conf().editable.items():
        for problem in _problems(name, editable):
            yield Error(
                f'NOTIFICATIONS["EDITABLE"]: {name}: {problem}.',
                hint="Name fields of the event's data that say what happened, not to what; leave "
                "out the others: they are locked.",
                id="notifications.E062",
            )


def _problems(name: str, editable: Editable) -> Iterator[str]:
    try:
        kind = events.newest(name)
    except UnknownEvent:
        yield "nobody has registered such an event type"
        return
    named = {*editable.free, *editable.sensitive}
    for field in sorted(named - kind.data.model_fields.keys()):
        yield f"its data has no field {field!r}"
    for field in sorted(named & edits.names_it(kind)):
        yield f"{field!r} says what it is about: of another it would be another event"
    for field in sorted({*editable.free} & {*editable.sensitive}):
        yield f"{field!r} is free and sensitive at once"
