"""Edits: facts of an event that an operator puts right for one delivery, which is then resent.

    NOTIFICATIONS["EDITABLE"] = {"order.shipped": Editable(free=("carrier",))}

The event stays as it was recorded, and so does what everybody else is told of it. What was put
right stands on the delivery, not in a message (decision 0039): whichever message brings the event,
this delivery is decided, rendered and sent as though the event said so; and so it is when it is
resent or redriven later, until it is edited again.

An address is no fact of an event: a wrong one is mended in the shop, and the delivery resent.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from string import Formatter
from typing import Any

from django.utils.translation import gettext as _
from pydantic import ValidationError

from notifications.conf import conf
from notifications.duties import Duty
from notifications.envelope import Envelope
from notifications.events import EventType
from notifications.exceptions import TransientError, Unreadable
from notifications.models import Delivery, Event
from notifications.models.claim import Claim
from notifications.redaction import redact

MOST = 10_000
"""Characters of one fact."""

MOST_IN_AUDIT = 200
HIDDEN = "•••"
"""What stands in the place of a sensitive fact."""

CONFIRM = "confirm"
"""Among the problems: what was to be typed, and was not."""


class Kind(StrEnum):
    LOCKED = "locked"
    SENSITIVE = "sensitive"
    FREE = "free"


@dataclass(frozen=True)
class Fact:
    """One field of an event's data, as this delivery is told it. text: as it is typed in a form.
    recorded: what the event says, where that was put right."""

    name: str
    kind: Kind
    text: str
    recorded: str | None = None


@dataclass(frozen=True)
class Edited:
    """What an edit makes of a delivery. data: all the facts. edits: those that differ from the
    event, which the delivery keeps. before, after: what this edit has changed."""

    data: Mapping[str, Any]
    edits: Mapping[str, Any]
    before: Mapping[str, Any]
    after: Mapping[str, Any]
    sensitive: frozenset[str] = frozenset()

    @property
    def sealed(self) -> str:
        """As the delivery's column takes it; empty: the event's own facts hold again."""
        return json.dumps(self.edits, ensure_ascii=False) if self.edits else ""

    def for_audit(self, facts: Mapping[str, Any]) -> dict[str, str]:
        """These of `before` or `after`, fit to be kept for ever."""
        return {
            name: HIDDEN if name in self.sensitive else redact(_text(value), limit=MOST_IN_AUDIT)
            for name, value in facts.items()
        }


class Wrong(Exception):
    """An edit that is none. problems: by the name of a field, or CONFIRM."""

    def __init__(self, problems: Mapping[str, str]) -> None:
        super().__init__("; ".join(f"{name}: {said}" for name, said in problems.items()))
        self.problems = dict(problems)


def applied(duty: Duty, claim: Claim) -> Duty:
    """The duty with what was put right of its facts. Only a resend can be: a first send asks
    nothing.

    Raises TransientError where that cannot be read: its key is new, and this process older.
    """
    if not claim.generation:
        return duty
    try:
        edits = _read(Delivery.objects.edited_of(claim))
    except Unreadable as error:
        unread = TransientError(f"What was put right of it is {error.message}.", error.code)
        unread.of_recipient = True
        raise unread from None
    return replace(duty, envelope=_with(duty.envelope, edits)) if edits else duty


def of(delivery: Delivery) -> Mapping[str, Any]:
    """What was put right of its facts; mostly nothing."""
    return _read(delivery.edited)


def told(event: Event, delivery: Delivery) -> Envelope:
    """The event as this delivery is told it."""
    return _with(event.envelope(), of(delivery))


def with_data(event: Event, data: Mapping[str, Any]) -> Envelope:
    """The event as though it said this."""
    return replace(event.envelope(), data=dict(data))


def facts(event: Event, delivery: Delivery) -> list[Fact]:
    """Every field of the event's data, the locked ones too."""
    kinds, edits = kinds_of(event.envelope().event_type), of(delivery)
    data = {**dict.fromkeys(kinds), **event.data}
    return [
        Fact(
            name,
            kinds.get(name, Kind.LOCKED),
            _text(edits.get(name, value)),
            recorded=_text(value) if name in edits else None,
        )
        for name, value in data.items()
    ]


def masked(event_type: str, data: Mapping[str, Any]) -> dict[str, Any]:
    """Its facts, for who has not asked to see the sensitive ones."""
    allowed = conf().editable.get(event_type)
    hidden = frozenset(allowed.sensitive if allowed else ())
    return {name: HIDDEN if name in hidden else value for name, value in data.items()}


def kinds_of(event_type: EventType) -> dict[str, Kind]:
    """By field, whether it may be edited."""
    allowed = conf().editable.get(event_type.name)
    kinds = dict.fromkeys(event_type.data.model_fields, Kind.LOCKED)
    if allowed is not None:
        free = kinds.keys() & set(allowed.free) - names_it(event_type)
        sensitive = kinds.keys() & set(allowed.sensitive) - names_it(event_type)
        kinds |= dict.fromkeys(free, Kind.FREE)
        kinds |= dict.fromkeys(sensitive, Kind.SENSITIVE)
    return kinds


def names_it(event_type: EventType) -> set[str]:
    """The fields that say what the event is about: of another order it would be another event."""
    return {name for _, name, _, _ in Formatter().parse(event_type.subject) if name}


def edit(
    event: Event, delivery: Delivery, typed: Mapping[str, str], *, confirm: str = ""
) -> Edited:
    """What these texts, by field, make of the delivery. Raises Wrong.

    Fields that are not named stay as they are. confirm: the event's subject, typed by who changes
    what is sensitive.
    """
    kind = event.envelope().event_type
    kinds, now = kinds_of(kind), {**event.data, **of(delivery)}
    problems = {
        name: _("it is locked") if name in kinds else _("the event has no such field")
        for name in typed
        if kinds.get(name, Kind.LOCKED) is Kind.LOCKED
    }
    changed = {
        name: text
        for name, text in typed.items()
        if name not in problems and _tidy(text) != _text(now.get(name))
    }
    problems |= {name: said for name, text in changed.items() if (said := _unfit(text))}
    if problems:
        raise Wrong(problems)
    data = _validated(kind, now, changed)
    edits = {
        name: data[name]
        for name in {**of(delivery), **changed}
        if name in data and data[name] != event.data.get(name)
    }
    after = {name: data.get(name) for name in changed if data.get(name) != now.get(name)}
    sensitive = frozenset(name for name in after if kinds[name] is Kind.SENSITIVE)
    if sensitive and confirm.strip() != event.subject:
        raise Wrong({CONFIRM: _("type %(subject)s here") % {"subject": event.subject}})
    return Edited(
        {**event.data, **edits}, edits, {name: now.get(name) for name in after}, after, sensitive
    )


def _validated(
    kind: EventType, now: Mapping[str, Any], changed: Mapping[str, str]
) -> dict[str, Any]:
    """All the facts, by the event type's own model."""
    values = {name: _value(text, now.get(name), kind, name) for name, text in changed.items()}
    try:
        return kind.data.model_validate({**now, **values}).model_dump(mode="json")
    except ValidationError as error:
        problems: dict[str, str] = {}
        for problem in error.errors(include_url=False, include_input=False):
            name = str(problem["loc"][0]) if problem["loc"] else next(iter(changed), "")
            problems.setdefault(name, problem["msg"])
        raise Wrong(problems) from None


def _value(text: str, before: Any, kind: EventType, name: str) -> Any:
    """What was typed, as the model reads it: nothing, where it takes nothing; JSON, where it was
    no single value before; else the text, which the model makes a number or a date of."""
    tidy = _tidy(text)
    field = kind.data.model_fields[name]
    if not tidy.strip() and (before is None or field.default is None):
        return None
    if isinstance(before, list | dict):
        try:
            return json.loads(tidy)
        except ValueError:
            raise Wrong({name: _("this is no JSON")}) from None
    return tidy


def _unfit(text: str) -> str:
    if len(text) > MOST:
        return _("at most %(most)d characters") % {"most": MOST}
    if "\0" in text or any("\ud800" <= letter <= "\udfff" for letter in text):
        return _("there is a character in it that cannot be kept")
    return ""


def _tidy(text: str) -> str:
    return text.replace("\r\n", "\n")


def _text(value: Any) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _read(edited: str) -> dict[str, Any]:
    return dict(json.loads(edited)) if edited else {}


def _with(envelope: Envelope, edits: Mapping[str, Any]) -> Envelope:
    return replace(envelope, data={**envelope.data, **edits}) if edits else envelope
