"""Plain data: what edited templates are given. Nothing in it can be called, walked or written to.

dict, list, text, whole and decimal numbers, dates and times, true, false and nothing. Whatever
else the shop's context holds becomes `Opaque`: using that is an error which names it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, time
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.utils.functional import Promise
from django.utils.translation import gettext

from notifications.envelope import Envelope
from notifications.recipients import Recipient

DEEPEST = 8
"""Levels of dictionaries and lists in one another; what lies deeper is opaque."""

LONGEST_LIST = 2000
"""Entries of a list; one that is longer is opaque."""

LONGEST_TEXT = 100_000
"""Characters; a text that is longer is opaque."""


@dataclass(frozen=True)
class Opaque:
    """Something that is no plain data; `why` is told to whoever uses it."""

    why: str


def context_of(
    envelope: Envelope, recipient: Recipient, context: Mapping[str, Any]
) -> dict[str, Any]:
    """What a template may use: the shop's context, and `event`, `data` and `recipient`.

    Not where the recipient is reached: no text has to say so.
    """
    return {
        "event": {
            "id": str(envelope.id),
            "type": envelope.type,
            "version": envelope.version,
            "source": envelope.source,
            "subject": envelope.subject,
            "time": envelope.time,
            "generation": envelope.generation,
        },
        "data": plain(envelope.data),
        "recipient": {
            "reference": recipient.reference,
            "locale": recipient.locale,
            "time_zone": recipient.time_zone,
            "person": recipient.who,
        },
        **{name: plain(value) for name, value in context.items() if _may_be_named(name)},
    }


def plain(value: Any, *, depth: int = 0) -> Any:
    """`value` as plain data, copied: exact types only, so no subclass brings methods along."""
    match value:
        case None | bool():
            return value
        case int():
            return int(value)
        case str() | Promise() | UUID():
            text = "".join(str(value))  # of a subclass (one marked as safe HTML, say) a plain text
            return text if len(text) <= LONGEST_TEXT else Opaque(gettext("too long a text"))
        case float():
            return float(value)
        case Decimal():
            return Decimal(value)
        case datetime() | date() | time():
            return value
        case Mapping() | list() | tuple() if depth >= DEEPEST:
            return Opaque(gettext("nested deeper than %(most)s levels") % {"most": DEEPEST})
        case Mapping():
            return {
                str(key): plain(entry, depth=depth + 1)
                for key, entry in value.items()
                if _may_be_named(key)
            }
        case list() | tuple():
            if len(value) > LONGEST_LIST:
                return Opaque(
                    gettext("a list of more than %(most)s entries") % {"most": LONGEST_LIST}
                )
            return [plain(entry, depth=depth + 1) for entry in value]
        case _:
            return Opaque(
                gettext("a %(name)s, which is no plain data") % {"name": type(value).__name__}
            )


def _may_be_named(name: Any) -> bool:
    return isinstance(name, str | int) and not str(name).startswith("_")
